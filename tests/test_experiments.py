"""Experiments: rows that are right, runs that go on, datasets that may be broken."""

import csv
import dataclasses

import numpy as np
import pytest

import fixlip
from fixlip.__main__ import main
from fixlip.experiments import datasets, runner, tasks
from fixlip.experiments.runner import run
from fixlip.experiments.tasks import COLUMNS, METHODS, Settings


def settings(experiment, **options):
    return Settings(experiment, "emoji-clip", **({"ps": (0.5,), "budget": 32, "masks": 50} | options))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def save_scenes(folder, count):
    folder.mkdir()
    for k in range(count):
        fixlip.emoji.scene(k, size=64).image.save(folder / f"{k}.png")
    return folder


# ---- what is measured


@pytest.mark.parametrize("experiment", ["insertion-deletion", "pointing-game", "faithfulness"])
def test_every_item_has_a_row_for_every_method(experiment, tmp_path):
    path = run(settings(experiment), limit=2, out=tmp_path, progress=False)
    rows = read(path)
    assert tuple(rows[0]) == COLUMNS[experiment]
    each = {"insertion-deletion": 1, "pointing-game": 4, "faithfulness": 2}[experiment]
    assert len(rows) == 2 * len(METHODS) * each
    assert {row["method"] for row in rows} == set(METHODS)
    text = path.with_suffix(".md").read_text()
    assert "| emoji-clip | Shapley values |" in text and "Left out" not in text
    assert "insertion" in path.with_suffix(".html").read_text() or experiment != "insertion-deletion"


def test_second_order_points_better_than_first(tmp_path):
    rows = read(run(settings("pointing-game", budget=96), limit=3, out=tmp_path, progress=False))
    score = {
        method: np.mean([float(row["pgr"]) for row in rows if row["method"] == method and row["objects"] != "1"])
        for method in METHODS
    }
    assert score["FIxLIP (weighted Banzhaf interactions)"] > 0.8 > 0.6 > score["weighted Banzhaf values"]


def test_a_row_is_what_the_library_says(tmp_path):
    rows = read(run(settings("insertion-deletion"), limit=1, out=tmp_path, progress=False))
    shown = fixlip.emoji.scene(datasets.FIRST_SCENE, objects=1 + datasets.FIRST_SCENE % 4)
    game = fixlip.Game(fixlip.load("emoji-clip"), shown.image, shown.caption)
    explanation = fixlip.sample(game, 32, seed=0, progress=False).explain(0.5)
    from fixlip.metrics import area_between_curves, insertion_deletion

    expected = area_between_curves(insertion_deletion(explanation, game))
    (row,) = (row for row in rows if row["method"] == "FIxLIP (weighted Banzhaf interactions)")
    assert float(row["aid"]) == pytest.approx(expected, abs=1e-3)
    assert len(row["insert"].split()) == 51


@pytest.mark.slow
def test_runtime_grows_with_the_budget_and_leaves_out_what_is_too_little(tmp_path):
    rows = read(run(settings("runtime", budget=2048), limit=1, out=tmp_path, progress=False))
    assert {(row["method"], int(row["budget"])) for row in rows} >= {("kernel", 64), ("crossmodal", 2048)}
    assert ("crossmodal", 1024) not in {(row["method"], int(row["budget"])) for row in rows}


# ---- runs that go on


def test_a_stopped_run_goes_on_without_doing_anything_twice(tmp_path, monkeypatch):
    whole, done = tasks.run_item, []

    def counted(chosen, number, item):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(item.name)
        return whole(chosen, number, item)

    monkeypatch.setattr(runner, "run_item", counted)
    with pytest.raises(KeyboardInterrupt):
        run(settings("insertion-deletion"), limit=3, out=tmp_path, progress=False)
    done[:] = done[1:]
    path = run(settings("insertion-deletion"), limit=3, out=tmp_path, progress=False)
    assert done == ["scene 1", "scene 2"]
    monkeypatch.setattr(runner, "run_item", whole)
    at_once = run(settings("insertion-deletion"), limit=3, out=tmp_path / "other", progress=False)
    assert path.read_text() == at_once.read_text()


@pytest.mark.slow
def test_two_workers_give_the_same_table_as_one(tmp_path):
    one = run(settings("insertion-deletion"), limit=3, out=tmp_path / "one", progress=False)
    two = run(settings("insertion-deletion"), limit=3, out=tmp_path / "two", workers=2, progress=False)
    for first, second in zip(read(one), read(two), strict=True):
        assert (first["item"], first["method"]) == (second["item"], second["method"])
        # Another number of threads adds up in another order.
        assert float(first["aid"]) == pytest.approx(float(second["aid"]), abs=0.02)


def test_rows_of_other_settings_are_not_mixed_in(tmp_path):
    run(settings("insertion-deletion"), limit=1, out=tmp_path, progress=False)
    with pytest.raises(ValueError, match="was made with .*budget=32.*; choose another folder"):
        run(settings("insertion-deletion", budget=33), limit=1, out=tmp_path, progress=False)


# ---- datasets


def test_a_folder_with_captions_and_broken_pictures(tmp_path):
    folder = save_scenes(tmp_path / "photos", 3)
    (folder / "broken.jpg").write_bytes(b"no picture")
    first, last = (fixlip.emoji.scene(k).caption for k in (0, 2))
    (folder / "captions.csv").write_text(f'file,caption\n0.png,{first}\nbroken.jpg,a dog\n2.png,"{last}"\n')
    path = run(settings("insertion-deletion"), str(folder), limit=9, out=tmp_path / "out", progress=False)
    assert {row["item"] for row in read(path)} == {"0.png", "2.png"}
    assert "Left out, 1:" in path.with_suffix(".md").read_text()
    assert "broken.jpg" in path.with_suffix(".md").read_text()


def test_a_folder_with_a_text_beside_each_picture(tmp_path):
    folder = save_scenes(tmp_path / "photos", 3)
    for k in (0, 2):
        (folder / f"{k}.txt").write_text("a cat and a banana\n")
    found = datasets.pairs(str(folder), 10)
    assert [item.name for item in found.items] == ["0.png", "2.png"] and found.items[0].read()[
        1
    ] == "a cat and a banana"


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
        ("table", "wants the columns file and caption"),
    ],
)
def test_a_dataset_that_is_none_is_refused(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "captions.csv").write_text("name;text\n")
    with pytest.raises(ValueError, match=message):
        datasets.pairs(name, 3)
    with pytest.raises(ValueError, match="dataset: "):
        datasets.mosaics(name, 3)


def test_an_item_without_a_normalised_curve_is_left_out_and_named(tmp_path, monkeypatch):
    shown = fixlip.emoji.scene(0, words=["cat"])
    upside_down = [datasets.Pair("odd", lambda: (shown.image, "xylophone zz"))]
    monkeypatch.setattr(datasets, "pairs", lambda name, limit: datasets.Dataset(upside_down))
    path = run(settings("insertion-deletion"), limit=1, out=tmp_path, progress=False)
    assert not read(path) and "odd: curves: the whole pair's value (" in path.with_suffix(".md").read_text()


# ---- command line


def test_the_command_writes_and_prints_the_table(tmp_path, capsys):
    command = ["experiment", "faithfulness", "--limit", "1", "--budget", "24", "--p", "0.5", "--out", str(tmp_path)]
    assert main(command) == 0
    assert "| emoji-clip | Shapley values |" in capsys.readouterr().out
    assert (tmp_path / "faithfulness-emoji-clip.csv").is_file()
    assert main(["experiment", "faithfulness", "--limit", "0"]) == 2
    assert main(["experiment", "faithfulness", "--dataset", "nowhere"]) == 2
    assert "dataset: 'nowhere'" in capsys.readouterr().err


def test_settings_are_all_in_the_note(tmp_path):
    run(settings("faithfulness"), limit=1, out=tmp_path, progress=False)
    note = (tmp_path / "faithfulness-emoji-clip.settings").read_text()
    assert all(f"{field.name}=" in note for field in dataclasses.fields(Settings))
