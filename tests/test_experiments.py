"""Experiments: rows that are right, settings, datasets that may be broken, the command.

What happens to the tables when something goes wrong is in test_experiments_survive.py.
"""

import csv
import dataclasses
import sys

import numpy as np
import pytest
import small_models
from PIL import Image

import fixlip
from fixlip.__main__ import main
from fixlip.experiments import datasets
from fixlip.experiments.bench import DRAWN_AT
from fixlip.experiments.report import _model
from fixlip.experiments.runner import run
from fixlip.experiments.settings import (
    AT_METAGAMES_COST,
    METAGAME,
    METHODS,
    VALUES,
    WITH_ITS_PASSES,
    WORD_BY_WORD,
    Settings,
    row_keys,
    timed,
)
from fixlip.metrics import faithfulness, quadrant
from fixlip.samples import FEWEST_MASKS

FIXLIP = "FIxLIP (weighted Banzhaf interactions)"
FEW = (FIXLIP, VALUES, WORD_BY_WORD, "Shapley values", "Grad-ECLIP")


@pytest.fixture
def every_method():
    """For tests of all methods."""


@pytest.fixture(autouse=True)
def few_methods(request):
    """Most tests are as good with a few methods, and quicker."""
    every = dict(METHODS)
    if "every_method" not in request.fixturenames:
        for name in METHODS.keys() - set(FEW):
            del METHODS[name]
    yield
    METHODS.clear()
    METHODS.update(every)  # in their order


def settings(experiment, **options):
    return Settings(experiment, "emoji-clip", **({"ps": (0.5,), "budget": 16, "masks": 50} | options))


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save_scenes(folder, count):
    folder.mkdir()
    for k in range(count):
        fixlip.emoji.scene(k, size=64).image.save(folder / f"{k}.png")
    return folder


# ---- what is measured


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["insertion-deletion", "pointing-game", "faithfulness", "context"])
def test_every_item_has_a_row_for_every_method(experiment, tmp_path, every_method):
    path = run(settings(experiment), limit=2, out=tmp_path, progress=False)
    rows = read(path)
    each = {"pointing-game": 4, "faithfulness": 2}.get(experiment, 1)
    assert len(rows) == 2 * len(METHODS) * each
    assert {row["method"] for row in rows} == set(METHODS)
    assert len({tuple(row.items()) for row in rows}) == len(rows)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "| emoji-clip | Shapley values |" in text and "Left out" not in text
    # Every column of the summary is explained below it.
    columns = text.splitlines()[0].strip("| ").split(" | ")
    assert all(f"- `{column}`: " in text for column in columns if column != "items")
    assert "<html" in path.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_second_order_points_better_than_first(tmp_path):
    rows = read(run(settings("pointing-game", budget=96), limit=3, out=tmp_path, progress=False))
    score = {
        method: np.mean([float(row["pgr"]) for row in rows if row["method"] == method and row["objects"] != "1"])
        for method in METHODS
    }
    assert score[FIXLIP] > 0.8 > 0.6 > score[VALUES]
    # One map cannot point at several objects; a map for each word can.
    assert score[WORD_BY_WORD] > 0.8


def test_one_word_at_a_time_is_first_order_of_captions_of_one_word(tmp_path, monkeypatch):
    from fixlip.encoders.huggingface import Encoder

    encoded, encode = [], Encoder.embed_images
    run_with = settings("pointing-game", ps=(0.3, 0.5), budget=40)
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "embed_images", lambda *given: encoded.append(len(given[2])) or encode(*given))
        rows = read(run(run_with, limit=1, out=tmp_path, progress=False))
    assert [(row["method"], float(row["p"]), int(row["objects"])) for row in rows] == row_keys(run_with, 49)

    (item,) = datasets.mosaics("emoji", 1).items
    encoder, correct, total = fixlip.load("emoji-clip"), 0.0, 0.0
    for k, word in enumerate(item.labels[:3]):
        game = fixlip.Game(encoder, item.read(), word)
        patches = fixlip.sample(game, 40, DRAWN_AT, seed=0, progress=False).explain(0.3, order=1).values[:49]
        here = quadrant((7, 7), k)
        elsewhere = np.any([quadrant((7, 7), j) for j in range(4) if j != k], axis=0)
        correct += np.maximum(patches[here], 0).sum() + np.maximum(-patches[elsewhere], 0).sum()
        total += np.abs(patches[here | elsewhere]).sum()
    (row,) = (r for r in rows if (r["method"], r["p"], r["objects"]) == (WORD_BY_WORD, "0.3", "3"))
    assert float(row["pgr"]) == pytest.approx(correct / total, abs=1e-4)
    assert row["caption"] == " ".join(item.labels[:3])
    # Masked images are encoded once, whatever the captions, p and index, and those of nothing and of the whole.
    assert sum(encoded) <= 40 + 2


def test_rows_and_curves_are_what_the_library_says(tmp_path):
    path = run(settings("insertion-deletion", seed=3), limit=1, out=tmp_path, progress=False)
    shown = fixlip.emoji.scene(datasets.FIRST_SCENE, objects=1 + datasets.FIRST_SCENE % 4)
    game = fixlip.Game(fixlip.load("emoji-clip"), shown.image, shown.caption)
    explanation = fixlip.sample(game, 16, DRAWN_AT, seed=3 * 10**7, progress=False).explain(0.5)
    from fixlip.metrics import area_between_curves, insertion_deletion

    curves = insertion_deletion(explanation, game)
    (row,) = (row for row in read(path) if row["method"] == FIXLIP)
    assert float(row["aid"]) == pytest.approx(area_between_curves(curves), abs=1e-3)
    assert row["caption"] == shown.caption
    points = [row for row in read(tmp_path / "insertion-deletion-emoji-clip-curves.csv") if row["method"] == FIXLIP]
    insert, delete = curves.on_grid()
    assert [float(point["removed"]) for point in points] == pytest.approx(np.linspace(0, 1, 51), abs=1e-5)
    assert [float(point["insert"]) for point in points] == pytest.approx(insert, abs=1e-3)
    assert [float(point["delete"]) for point in points] == pytest.approx(delete, abs=1e-3)


def test_runtime_is_measured_for_growing_budgets_from_what_an_estimator_needs(tmp_path):
    # Least squares on 49 patches has 1,226 coefficients to determine.
    tried = {("kernel", 2**k) for k in range(6, 12)} | {("crossmodal", 2048)}
    asked = {(name, 0.5, budget) for name, budget in tried} | {("Grad-ECLIP", 0.5, 0)}
    assert set(timed(settings("runtime", budget=2048), 49)) == asked
    row, other = read(run(settings("runtime", budget=64), limit=1, out=tmp_path, progress=False))
    assert (row["method"], row["budget"]) == ("kernel", "64")
    assert float(row["encoding_seconds"]) > 0 and float(row["fitting_seconds"]) > 0
    # What looks into the model takes one time, one forward and one backward pass of each encoder.
    assert (other["method"], other["budget"], other["cost"]) == ("Grad-ECLIP", "0", "4")
    assert float(other["encoding_seconds"]) > 0 and float(other["fitting_seconds"]) == 0


def test_the_summary_is_the_mean_and_standard_deviation_over_items(tmp_path):
    path = run(settings("faithfulness"), limit=3, out=tmp_path, progress=False)
    values = [float(r["spearman"]) for r in read(path) if r["method"] == FIXLIP and r["at"] == "0.5"]
    wanted = f"| emoji-clip | {FIXLIP} | 0.5 | 0.5 | {np.mean(values):.3f} ± {np.std(values):.3f} |"
    assert wanted in path.with_suffix(".md").read_text(encoding="utf-8")


# ---- costs, abstentions, context


def test_rows_tell_what_they_cost(tmp_path, every_method):
    run_with = settings("pointing-game", budget=40)
    rows = read(run(run_with, limit=1, out=tmp_path, progress=False))
    cost = {(row["method"], int(row["objects"])): int(row["cost"]) for row in rows}
    (item,) = datasets.mosaics("emoji", 1).items
    encoder = fixlip.load("emoji-clip")
    for objects in (1, 4):
        game = fixlip.Game(encoder, item.read(), " ".join(item.labels[:objects]))
        captions = 2**game.n_text
        assert cost[FIXLIP, objects] == 40 + captions
        assert cost[WORD_BY_WORD, objects] == 40 + sum(
            2 ** fixlip.Game(encoder, item.read(), word).n_text for word in item.labels[:objects]
        )
        assert cost["GAME", objects] == 4
        assert cost["occlusion", objects] == game.n_players + 2
        # One forward and one backward pass for every masked caption, and the picture itself.
        metagame = 2 * captions + 1
        assert cost[METAGAME, objects] == metagame
        assert cost[AT_METAGAMES_COST, objects] == max(metagame, FEWEST_MASKS + captions)
        assert cost[WITH_ITS_PASSES, objects] == max(metagame, FEWEST_MASKS) + captions


def test_a_method_that_abstains_is_counted_and_drops_nothing(tmp_path, monkeypatch):
    """One that fails on the first item, one that gives only zeros, and one without a prediction."""
    from fixlip.experiments.bench import Bench, Made

    make, items = Bench._make, []

    def patched(self, one, p):
        items.append(self.game.text)
        if one.method == "grad-eclip" and self.game.text == items[0]:
            raise ValueError("grad-eclip: it cannot.")
        made = make(self, one, p)
        if one is METHODS["Shapley values"]:
            explanation = dataclasses.replace(made.explanation, attributions=np.zeros(self.game.n_players))
            return Made(explanation, made.images, made.passes)
        return made

    before = read(run(settings("faithfulness"), limit=2, out=tmp_path / "before", progress=False))
    monkeypatch.setattr(Bench, "_make", patched)
    path = run(settings("faithfulness"), limit=2, out=tmp_path / "after", progress=False)
    for old, new in zip(before, read(path), strict=True):
        silent = new["method"] == "Shapley values" or (new["method"], new["caption"]) == ("Grad-ECLIP", items[0])
        assert (new["spearman"] == "nan") == silent
        assert silent or old == new
    lines = path.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    (zeros,) = (line for line in lines if line.startswith("| emoji-clip | Shapley values | 0.5 |"))
    assert zeros.endswith("| spearman: 2, r2: 2 | 2 |") or zeros.endswith("| spearman: 2 | 2 |")
    (failed,) = (line for line in lines if line.startswith("| emoji-clip | Grad-ECLIP | 0.5 |"))
    assert "spearman: 1" in failed and failed.endswith("| 2 |") and " – " in failed


def test_context_is_right_for_a_model_that_is_known(monkeypatch):
    """An explanation that is the game's own second-order Taylor expansion, of a game that has no higher order."""
    from fixlip.experiments import context
    from fixlip.experiments.bench import Bench, Made

    encoder = fixlip.load("emoji-clip")
    (item,) = datasets.mosaics("emoji", 1).items
    bench = Bench(fixlip.Game(encoder, item.read(), item.caption), 16, 0)
    rng = np.random.default_rng(0)
    truth = {}

    def known(game, masks):
        if game.text not in truth:
            pairs = np.triu(rng.normal(size=(game.n_players,) * 2), 1)
            truth[game.text] = (rng.normal(size=game.n_players), pairs + pairs.T)
        single, pairs = truth[game.text]
        return 1.0 + masks @ single + np.einsum("mi,ij,mj->m", masks, pairs, masks) / 2

    monkeypatch.setattr(context, "ask", known)
    asked = context.questions(bench, item.labels, 0)
    known(asked.bound.game, np.ones((1, asked.bound.game.n_players)))
    made = []
    for one in asked.benches:
        single, pairs = truth[one.game.text]
        made.append(Made(fixlip.Explanation(1.0, single, pairs, one.game.subject), 0, 0))
    scores = context.answers(asked, made)
    for name in ("change_spearman", "change_r2", "context_spearman", "context_change"):
        assert scores[name] == pytest.approx(1.0)
    # By hand: what the two words put on the cell of the first object.
    _, pairs = truth[asked.bound.game.text]
    cell = quadrant((7, 7), 0)
    n = asked.bound.game.n_image
    present, absent = (np.maximum(pairs[:n, tokens].sum(axis=1), 0) for tokens in asked.bound_tokens)
    assert scores["binding"] == pytest.approx(present[cell].sum() / (present[cell].sum() + absent[cell].sum()))
    assert scores["absent_share"] == pytest.approx(absent[cell].sum() / absent.sum())


def test_first_order_cannot_bind_and_one_word_cannot_tell_context(tmp_path):
    rows = read(run(settings("context", budget=40), limit=1, out=tmp_path, progress=False))
    found = {row["method"]: row for row in rows}
    assert found[VALUES]["binding"] == found["Grad-ECLIP"]["binding"] == "0.5"
    assert found[WORD_BY_WORD]["context_change"] == "nan" != found[FIXLIP]["context_change"]
    assert found["Grad-ECLIP"]["change_r2"] == "nan" != found[FIXLIP]["change_r2"]


def test_randomisation_goes_down_level_by_level(tmp_path):
    from fixlip.baselines import grad_eclip
    from fixlip.metrics import agreement_of_maps, randomised

    rows = read(run(settings("randomisation", budget=16), limit=1, out=tmp_path, progress=False))
    (item,) = datasets.pairs("emoji", 1).items
    encoder = fixlip.load("emoji-clip")
    levels = dict(randomised(encoder, 0))
    assert list(dict.fromkeys(row["randomised"] for row in rows)) == list(levels)
    before = grad_eclip(fixlip.Game(encoder, *item.read()))
    for level, other in levels.items():
        (row,) = (row for row in rows if (row["randomised"], row["method"]) == (level, "Grad-ECLIP"))
        after = grad_eclip(fixlip.Game(other, *item.read()))
        assert float(row["patches"]) == pytest.approx(agreement_of_maps(before, after).patches, abs=1e-5)
        assert row["interactions"] == "nan" and row["cost"] == "4"
    assert all(row["interactions"] != "nan" for row in rows if row["method"] == FIXLIP)


# ---- settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experiment": "deletion"}, "experiment: got 'deletion', wanted one of insertion-deletion"),
        ({"ps": ()}, r"ps: got \(\), wanted one presence probability or more"),
        ({"ps": (0.5, 1.5)}, "p: got 1.5, wanted a probability strictly between"),
        ({"budget": 0}, "budget: got 0, wanted a whole number of at least 2"),
        ({"budget": 10**9}, "budget: got 1,000,000,000, but the kernel estimator takes"),
        ({"experiment": "runtime", "budget": 32}, "budget: got 32, wanted a whole number of at least 64"),
        ({"seed": -1}, "seed: got -1"),
        ({"masks": 1}, "masks: got 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{"experiment": "faithfulness"} | options)


def test_a_p_given_twice_counts_once():
    assert Settings("faithfulness", ps=(0.5, 0.3, 0.5)) == Settings("faithfulness", ps=(0.3, 0.5))


def test_settings_are_all_in_the_note(tmp_path):
    run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    note = (tmp_path / "faithfulness-emoji-clip.settings").read_text(encoding="utf-8")
    assert all(f"{field.name}=" in note for field in dataclasses.fields(Settings))
    assert "device='auto'" not in note and "dtype='float32'" in note


def test_rows_of_other_settings_are_not_mixed_in(tmp_path):
    path = run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    before = path.read_bytes()
    for options in ({"budget": 17}, {"seed": 1}, {"dtype": "bfloat16"}):
        ((name, _),) = options.items()
        with pytest.raises(ValueError, match=f"was made with {name}=.*, not {name}=.*; choose another folder"):
            run(settings("faithfulness", **options), limit=1, out=tmp_path, progress=False)
    (tmp_path / "faithfulness-emoji-clip.settings").unlink()
    with pytest.raises(ValueError, match="holds rows, but 'faithfulness-emoji-clip.settings', which says"):
        run(settings("faithfulness", budget=17), limit=1, out=tmp_path, progress=False)
    assert path.read_bytes() == before


def test_batches_may_be_of_another_size_after_a_restart(tmp_path):
    run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    run(settings("faithfulness", batch_size=8), limit=1, out=tmp_path, progress=False)


# ---- datasets


def test_a_folder_with_captions_and_broken_pictures(tmp_path):
    folder = save_scenes(tmp_path / "photos", 3)
    (folder / "broken.jpg").write_bytes(b"no picture")
    first, last = (fixlip.emoji.scene(k).caption for k in (0, 2))
    rows = f'file,caption\n0.png,{first}\nbroken.jpg,a dog\n1.png,\n1.png\n,a cat\n2.png,"{last}"\n'
    (folder / "captions.csv").write_text(rows)
    path = run(settings("faithfulness"), str(folder), limit=9, out=tmp_path / "out", progress=False)
    assert {row["item"] for row in read(path)} == {"0.png", "2.png"}
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "Left out, 4:" in text and "broken.jpg" in text and "- 1.png: wants both a file and a caption." in text


def test_a_picture_may_have_several_captions_also_after_a_restart(tmp_path):
    folder, table = save_scenes(tmp_path / "photos", 1), tmp_path / "photos" / "captions.csv"
    table.write_text("file,caption\n0.png,a cat\n")
    path = run(settings("faithfulness"), str(folder), out=tmp_path / "out", progress=False)
    table.write_text("file,caption\n0.png,a cat\n0.png,a banana\n")
    path = run(settings("faithfulness"), str(folder), out=tmp_path / "out", progress=False)
    assert len(read(path)) == 2 * 2 * len(METHODS)
    assert {(row["item"], row["caption"]) for row in read(path)} == {("0.png", "a cat"), ("0.png #2", "a banana")}


@pytest.mark.slow
def test_a_caption_that_was_changed_is_run_again(tmp_path):
    folder, table = save_scenes(tmp_path / "photos", 2), tmp_path / "photos" / "captions.csv"
    table.write_text("file,caption\n0.png,a cat\n1.png,an owl\n")
    run(settings("faithfulness"), str(folder), out=tmp_path / "out", progress=False)
    table.write_text("file,caption\n0.png,a banana\n1.png,an owl\n")
    path = run(settings("faithfulness"), str(folder), out=tmp_path / "out", progress=False)
    fresh = run(settings("faithfulness"), str(folder), out=tmp_path / "fresh", progress=False)
    assert path.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize(
    "text", ["\ufefffile,caption\n0.png,a cat\n", "file;caption\n0.png;a cat\n", " File,Caption \n0.png,a cat"]
)
def test_captions_as_spreadsheets_write_them(text, tmp_path):
    folder = save_scenes(tmp_path / "photos", 1)
    (folder / "captions.csv").write_text(text, encoding="utf-8")
    (item,) = datasets.pairs(str(folder), 9).items
    assert (item.name, item.caption, item.read()[1]) == ("0.png", "a cat", "a cat")


def test_pictures_of_one_name_in_two_folders_are_two_items(tmp_path):
    for name in ("a", "b"):
        save_scenes(tmp_path / name, 1)
    (tmp_path / "captions.csv").write_text("file,caption\na/0.png,a cat\nb/0.png,a cat\n")
    assert [item.name for item in datasets.pairs(str(tmp_path), 9).items] == ["a/0.png", "b/0.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the first line of '.*captions.csv' wants the columns file and caption"),
        (b"name;text\n", "wants the columns file and caption"),
        (b"0.png,a cat\n", "wants the columns file and caption"),
        (b"file,caption\n", "wants the columns file and caption, and a row at least"),
        ("file,caption\n0.png,un café\n".encode("latin-1"), "is no UTF-8 text; save it as"),
        ("file,caption\n0.png,a cat\n".encode("utf-16"), "is no UTF-8 text; save it as"),
        (b"file,caption\n0.png,\n", "holds no picture with a caption; 1 left out, the first: 0.png: wants both"),
        (b"file,caption\nno.png,a cat\n", "holds no picture with a caption; 1 left out, the first: image: there is no"),
    ],
)
def test_a_table_of_captions_that_is_none_is_refused(content, message, tmp_path):
    folder = save_scenes(tmp_path / "photos", 1)
    (folder / "captions.csv").write_bytes(content)
    with pytest.raises(ValueError, match=f"dataset: .*{message}"):
        datasets.pairs(str(folder), 3)


def test_a_folder_with_a_text_beside_each_picture(tmp_path):
    folder = save_scenes(tmp_path / "photos", 4)
    for k in (0, 2):
        (folder / f"{k}.txt").write_text("a cat and a banana\n")
    (folder / "3.txt").write_bytes("un café".encode("latin-1"))
    found = datasets.pairs(str(folder), 10)
    assert [item.name for item in found.items] == ["0.png", "2.png"]
    assert found.items[0].read()[1] == "a cat and a banana"
    assert len(found.left_out) == 1 and "3.txt' is no UTF-8 text" in found.left_out[0]


def test_a_folder_of_labels_becomes_mosaics(tmp_path):
    for label in ("cat", "banana", "owl", "key", "drum"):
        save_scenes(tmp_path / label, 2)
    found = datasets.mosaics(str(tmp_path), 3)
    games = list(found.items[1].games())
    assert [game.objects for game in games] == [1, 2, 3, 4] and games[0].image.size == (448, 448)
    assert games[3].caption.split() == list(found.items[1].labels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "dataset: 'nowhere' is neither \"emoji\""),
        ("empty", "dataset: 'empty' holds no picture with a caption"),
    ],
)
def test_a_dataset_that_is_none_is_refused(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        datasets.pairs(name, 3)
    with pytest.raises(ValueError, match="dataset: "):
        datasets.mosaics(name, 3)


def test_an_item_without_a_normalised_curve_is_left_out_and_named(tmp_path, monkeypatch):
    shown = fixlip.emoji.scene(0, words=["cat"])
    good = datasets.Pair("good", lambda: (shown.image, shown.caption))
    upside_down = datasets.Pair("odd", lambda: (shown.image, "xylophone zz"))
    monkeypatch.setattr(datasets, "pairs", lambda name, limit: datasets.Dataset([upside_down, good][:limit], limit))
    with pytest.raises(ValueError, match="dataset: all 1 items were left out; the first: odd: curves: the whole"):
        run(settings("insertion-deletion"), limit=1, out=tmp_path, progress=False)
    path = run(settings("insertion-deletion"), limit=2, out=tmp_path, progress=False)
    assert {row["item"] for row in read(path)} == {"good"}
    assert "- odd: curves: the whole pair's value (" in path.with_suffix(".md").read_text(encoding="utf-8")


def hub(monkeypatch, rows):
    """Let `datasets.load_dataset` give these rows."""
    module = type(sys)("datasets")
    module.load_dataset = lambda name, split, streaming: iter(rows)
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_captions_from_the_hub_come_one_by_one(tmp_path, monkeypatch):
    taken = []

    def rows():
        for k in range(10):
            taken.append(k)
            scene = fixlip.emoji.scene(k, size=64)
            yield {"jpg": scene.image, "txt": f"{scene.caption}\nanother caption"}

    hub(monkeypatch, rows())
    found = datasets.pairs("coco", 3)
    assert found.count == 3 and taken == []
    first = next(iter(found.items))
    assert taken == [0] and first.caption == fixlip.emoji.scene(0).caption
    hub(monkeypatch, rows())
    path = run(settings("faithfulness"), "coco", 2, tmp_path, progress=False)
    assert [row["item"] for row in read(path)][:: 2 * len(METHODS)] == ["coco 0", "coco 1"]


def test_a_stream_that_breaks_off_keeps_what_was_done(tmp_path, monkeypatch):
    def rows(broken):
        for k in range(2):
            scene = fixlip.emoji.scene(k, size=64)
            if k == 1 and broken:
                raise OSError("the line is dead")
            yield {"jpg": scene.image, "txt": scene.caption}

    hub(monkeypatch, rows(broken=True))
    with pytest.raises(ValueError, match="dataset: broke off after 1 items .the line is dead.; what was finished is"):
        run(settings("faithfulness"), "coco", 2, tmp_path, progress=False)
    assert len(read(tmp_path / "faithfulness-emoji-clip.csv")) == 2 * len(METHODS)


def test_the_published_games_from_the_hub(monkeypatch):
    from fixlip.metrics.pointing_game import IMAGENET_CLASSES, PUBLISHED_GAMES

    rng = np.random.default_rng(0)
    colours = {}

    def rows():
        for number in [1, 1, 7, *rng.permutation([*IMAGENET_CLASSES.values()] * 3)]:
            colour = tuple(int(v) for v in rng.integers(0, 255, 3))
            colours.setdefault(int(number), []).append(colour)
            yield {"label": int(number), "image": Image.new("RGB", (8, 8), colour)}

    hub(monkeypatch, rows())
    items = list(datasets.mosaics("imagenet", 12).items)
    assert [item.labels for item in items] == [*PUBLISHED_GAMES, *PUBLISHED_GAMES[:2]]
    for k, item in enumerate(items):
        game = next(item.games())
        corners = [game.image.getpixel(at) for at in ((50, 50), (400, 50), (50, 400), (400, 400))]
        assert corners == [colours[IMAGENET_CLASSES[label]][k // 10] for label in item.labels]


# ---- where to write, and with what


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / "faithfulness-emoji-clip.csv").mkdir(parents=True)
    monkeypatch.setattr("fixlip.experiments.runner.run_item", lambda *_: pytest.fail("work was done"))
    for out, message in [
        (tmp_path / "file", "out: '.*file' is a file, wanted a folder"),
        (tmp_path / "file" / "below", "out: '.*file' is a file, wanted a folder"),
        (tmp_path / "taken", "out: '.*faithfulness-emoji-clip.csv' is a folder"),
    ]:
        with pytest.raises(ValueError, match=message):
            run(settings("faithfulness"), limit=1, out=out, progress=False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which not even root can write")
def test_a_folder_without_write_permission_is_refused():
    with pytest.raises(ValueError, match="out: cannot write in '/proc'"):
        run(settings("faithfulness"), limit=1, out="/proc/experiments", progress=False)


def test_a_table_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "faithfulness-emoji-clip.csv"
    run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="does not begin with the columns item, caption, model"):
        run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    assert path.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("joblib", {"workers": 2}, "workers: needs joblib, which is not installed; pip install joblib"),
        ("distributed", {"dask": "local"}, "dask: needs distributed, which is not installed"),
        ("datasets", {"dataset": "coco"}, "dataset: clip-benchmark.*: needs datasets, which is not installed"),
    ],
)
def test_what_is_not_installed_is_said_before_the_work(module, options, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=message):
        run(settings("faithfulness"), limit=1, out=tmp_path, progress=False, **options)


def test_without_bokeh_there_is_a_table_and_a_sentence(tmp_path, monkeypatch, caplog):
    for name in ("bokeh", "bokeh.embed"):
        monkeypatch.setitem(sys.modules, name, None)
    path = run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    sentence = "No figure was drawn: the experiment's figure: needs bokeh, which is not installed; pip install bokeh."
    assert read(path) and not path.with_suffix(".html").exists()
    assert sentence in path.with_suffix(".md").read_text(encoding="utf-8") and caplog.messages == [sentence]


# ---- command line


def test_the_command_writes_and_prints_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["experiment", "faithfulness", "--limit", "1", "--budget", "24", "--p", "0.5", "--out", str(tmp_path)]
    assert main(command) == 0
    assert "| emoji-clip | Shapley values |" in capsys.readouterr().out
    assert (tmp_path / "faithfulness-emoji-clip.csv").is_file()
    assert main(["experiment", "faithfulness", "--limit", "0"]) == 2
    assert main(["experiment", "faithfulness", "--dataset", "nowhere"]) == 2
    assert "dataset: 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "experiments").exists()


@pytest.fixture(scope="module")
def flexible(tmp_path_factory):
    """A model whose pictures have grids of their own, and a folder of two pictures, wide and high."""
    folder = tmp_path_factory.mktemp("naflex")
    for name, size in (("wide.png", (120, 60)), ("high.png", (60, 120))):
        Image.fromarray(np.asarray(fixlip.emoji.scene(1, size=120).image.resize(size))).save(folder / name)
    (folder / "captions.csv").write_text("file,caption\nwide.png,a cat\nhigh.png,a banana\n", encoding="utf-8")
    return small_models.save("siglip2", folder / "model"), folder


def test_pictures_may_have_grids_of_their_own(flexible, tmp_path):
    model, folder = flexible
    run_with = Settings("faithfulness", str(model), ps=(0.5,), budget=16, masks=30)
    rows, encoder = read(run(run_with, str(folder), limit=2, out=tmp_path, progress=False)), fixlip.load(model)
    grids = set()
    for number, name in enumerate(dict.fromkeys(row["item"] for row in rows)):
        caption = {"wide.png": "a cat", "high.png": "a banana"}[name]
        game = fixlip.Game(encoder, folder / name, caption)
        grids.add(game.grid)
        told = fixlip.sample(game, 16, DRAWN_AT, number, progress=False).explain(0.5)
        wanted = faithfulness(told, game, 0.5, n_masks=30, seed=10**6 + number).r2
        (found,) = (r for r in rows if (r["item"], r["method"], r["at"]) == (name, FIXLIP, "0.5"))
        assert float(found["r2"]) == pytest.approx(wanted, rel=1e-4)
    assert grids == {(4, 8), (8, 4)} and encoder.grid == (6, 6)
    assert "6 x 6 patches of a square picture, others in grids of their own, weights" in _model(run_with, encoder)
    square = fixlip.load("emoji-clip", device="cpu")
    assert "7 x 7 patches, weights" in _model(settings("faithfulness"), square)
