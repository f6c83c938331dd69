"""The experiment on mutual knowledge: rows, restarts, workers, memory, folders, bad input; kept checkpoints."""

import csv
import gc
import itertools
import math
import os
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import fixlip
from fixlip import emoji
from fixlip.__main__ import main
from fixlip.concepts import MEASURES, Bank, Classes, Study, Totals
from fixlip.emoji.train import RECIPES, Recipe, train
from fixlip.experiments import knowledge_columns as columns
from fixlip.experiments import runner
from fixlip.experiments.knowledge import KnowledgeSettings
from fixlip.experiments.labelled import labelled
from fixlip.experiments.runner import run
from fixlip.experiments.tables import Tables

NAME = "mutual-knowledge-emoji-clip"
COUNT = 14  # more than there are classes


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Embeddings are kept beside the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip")


@pytest.fixture(scope="module")
def study(encoder):
    return Study(encoder, Classes.emoji(), Bank.emoji(), cache=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return run(KnowledgeSettings(), limit=COUNT, out=tmp_path_factory.mktemp("whole"), progress=False)


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def curves_beside(path):
    return path.with_name(f"{path.stem}-curves.csv")


def test_scenes_show_objects_of_their_class_in_turn():
    classes = Classes.emoji()
    items = labelled("emoji", 50, classes).items
    assert [item.label for item in items[:12]] == list(classes.names) == [item.label for item in items[12:24]]
    for k, item in enumerate(items):
        (prompt,) = classes.prompts[k % 12]
        args = item.read.args
        assert set(args[1]) == set(prompt.split()) & set(emoji.vocabulary()) and args[2] == 1 + k // 12 % 4
    assert (np.asarray(items[0].read()) == np.asarray(labelled("emoji", 1, classes).items[0].read())).all()


def test_rows_are_what_a_study_finds(table, study):
    rows, classes = read(table), Classes.emoji()
    assert len(rows) == COUNT and list(rows[0]) == list(columns.TABLE)
    for row, item in itertools.islice(zip(rows, labelled("emoji", COUNT, classes).items, strict=True), 0, COUNT, 4):
        found = study.image(item.read())
        assert (row["item"], row["class"]) == (item.name, item.label)
        assert row["prediction"] == classes.names[found.prediction]
        assert row["right"] == str(int(row["prediction"] == row["class"]))
        # Sets counted anew, and measures by their formulas.
        visual, language = set(found.visual), set(found.language)
        shared, bank = len(visual & language), 56
        assert [int(row[name]) for name in ("visual", "language", "shared")] == [len(visual), len(language), shared]
        assert float(row["expected"]) == pytest.approx(len(visual) * len(language) / bank, rel=1e-5)
        score = math.log(len(visual) * len(language) * shared) if shared else 0
        assert float(row["overlap_score"]) == pytest.approx(score, rel=1e-5)
        assert float(row["jaccard"]) == pytest.approx(shared / len(visual | language), rel=1e-5)
        assert float(row["information_area"]) == pytest.approx(found.area("information"), rel=1e-5)
        others = [set(study.language(k)) for k in range(12) if k != found.prediction]
        expected = np.mean([len(visual & words) / len(visual | words) for words in others])
        assert float(row["jaccard_others"]) == pytest.approx(expected, rel=1e-5, abs=1e-9)
        assert row["shared_words"] == "; ".join(found.phrases(found.shared))


def test_curves_and_summary_are_those_of_the_data_set(table, study):
    totals = Totals()
    for item in labelled("emoji", COUNT, Classes.emoji()).items:
        totals.add(study.image(item.read()), item.label)
    points = read(curves_beside(table))
    assert len(points) == COUNT * 10  # three parts of three words, and none struck out
    text = table.with_suffix(".md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    for measure, column, line in zip(MEASURES, columns.MEASURES, lines[2:5], strict=True):
        curve = totals.curve(measure)
        found = np.array([float(point[column]) for point in points]).reshape(COUNT, 10).mean(axis=0)
        np.testing.assert_allclose(found[: len(curve)], curve, rtol=1e-4)
        assert not found[len(curve) :].any()
        assert line[-2:] == [f"{totals.area(measure):.3f}", f"{totals.chance_area(measure):.3f}"]
        values = [float(row[column]) for row in read(table)]
        assert line[1] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / math.sqrt(COUNT):.3f}"
    assert f"{totals.accuracy:.3f}" in text and "nan" not in text
    assert [line[0] for line in lines[7:]] == ["*all*", *Classes.emoji().names]
    assert "bokeh" in table.with_suffix(".html").read_text(encoding="utf-8").lower()


def test_a_run_that_was_cut_goes_on_and_gives_the_same_table(table, tmp_path, monkeypatch):
    done = []

    def breaks(settings, number, item, threads=0):
        done.append(item.name)
        if len(done) == 5:
            raise KeyboardInterrupt
        return original(settings, number, item, threads)

    original = runner.run_item
    monkeypatch.setattr(runner, "run_item", breaks)
    with pytest.raises(KeyboardInterrupt):
        run(KnowledgeSettings(), limit=COUNT, out=tmp_path, progress=False)
    path = tmp_path / f"{NAME}.csv"
    assert len(read(path)) == 4
    with open(path, "ab") as file:
        file.write(b"scene 4,circus,emoji-cl")  # as a kill leaves it
    path = run(KnowledgeSettings(), limit=COUNT, out=tmp_path, progress=False)
    assert len(done) == 5 + COUNT - 4
    for mine, whole in ((path, table), (curves_beside(path), curves_beside(table))):
        assert mine.read_bytes() == whole.read_bytes()
    for suffix in (".md", ".settings"):
        assert path.with_suffix(suffix).read_bytes() == table.with_suffix(suffix).read_bytes()
    with pytest.raises(ValueError, match="was made with classes="):
        run(KnowledgeSettings(classes=Classes(["cat", "dog"], [["a cat"], ["a husky"]])), "emoji", 2, tmp_path)


@pytest.mark.slow
def test_workers_give_the_same_table(table, tmp_path):
    path = run(KnowledgeSettings(), limit=COUNT, out=tmp_path, workers=2, progress=False)
    assert path.read_bytes() == table.read_bytes()
    assert curves_beside(path).read_bytes() == curves_beside(table).read_bytes()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures(tmp_path, monkeypatch):
    """What Python and NumPy hold after 8 and after 24 small pictures: of each its name and place, and no picture."""
    few = KnowledgeSettings(classes=Classes(["cat", "banana"], [["a cat"], ["a banana"]]))
    for item in labelled("emoji", 300, few.classes).items:
        item.read()  # all sizes of their sprites are remembered now
    run(few, limit=8, out=tmp_path / "warm", progress=False)
    held, peaks, add = [], [], Tables.add

    def added(self, *args):
        add(self, *args)
        gc.collect()
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        held.append(now)
        peaks.append(peak - now)

    monkeypatch.setattr(Tables, "add", added)
    tracemalloc.start()
    run(few, limit=24, out=tmp_path, progress=False)
    tracemalloc.stop()
    # A picture alone is 340 KB. 1.2 KB for each were measured, 1.2 MB for a thousand.
    assert held[23] - held[7] < 16 * 3000, held
    assert max(peaks[12:]) < 2 * max(peaks[:12]), peaks


def folder_of(tmp_path, classes=("cat", "ball"), each=2):
    for label in classes:
        (tmp_path / label).mkdir(parents=True)
        for k in range(each):
            emoji.scene(k, words=[label]).image.save(tmp_path / label / f"{k}.png")
    return tmp_path


def test_a_folder_with_files_of_ones_own(tmp_path, capsys):
    folder = folder_of(tmp_path / "photos")
    (folder / "cat" / "broken.png").write_bytes(b"no picture")
    (folder / "dogs").mkdir()
    (tmp_path / "bank.txt").write_text("[animals]\ncat\nowl\n[things]\nball\nkey\na qzx\n", encoding="utf-8")
    (tmp_path / "classes.txt").write_text("cat = a photo of a cat; a cat\nball\n", encoding="utf-8")
    command = ["experiment", "mutual-knowledge", "--dataset", folder, "--bank", tmp_path / "bank.txt", "--quiet"]
    command += ["--classes", tmp_path / "classes.txt", "--out", tmp_path / "out", "--limit", 9]
    assert main([str(part) for part in command]) == 0
    rows = read(tmp_path / "out" / f"{NAME}.csv")
    assert [row["item"] for row in rows] == ["ball/0.png", "cat/0.png", "ball/1.png", "cat/1.png"]
    assert [row["right"] for row in rows] == ["1"] * 4
    text = capsys.readouterr().out
    assert "4 pictures of 2 classes; 1.000 ± 0.000" in text and "has no words for 1 of 5 phrases" in text
    assert "dogs: none of the 2 classes has this name." in text and "broken.png" in text
    # A picture that moved to another class is run again.
    (folder / "cat" / "1.png").rename(folder / "ball" / "1b.png")
    assert main([str(part) for part in command]) == 0
    assert "ball/1b.png" in [row["item"] for row in read(tmp_path / "out" / f"{NAME}.csv")]


def test_bad_input_is_told_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "run_item", lambda *_: pytest.fail("work was begun"))
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="'cat' alone, wanted two"):
        KnowledgeSettings(classes=Classes(["cat"]))
    with pytest.raises(ValueError, match="neither"):
        run(KnowledgeSettings(), str(tmp_path / "nowhere"), out=out)
    with pytest.raises(ValueError, match="no emoji scenes of the class 'zebra'"):
        run(KnowledgeSettings(classes=Classes(["cat", "zebra"])), out=out)
    with pytest.raises(ValueError, match=r"no subfolder with pictures that is named as a class \(cat: none of"):
        run(KnowledgeSettings(), str(folder_of(tmp_path / "photos", ["cat"])), out=out)
    with pytest.raises(ValueError, match="has words for none of its 2 phrases"):
        run(KnowledgeSettings(bank=Bank(["猫", "狗"])), out=out)
    assert not out.exists()
    (tmp_path / "one.txt").write_text("cat\n", encoding="utf-8")
    assert main(["experiment", "mutual-knowledge", "--bank", str(tmp_path / "one.txt"), "--out", str(out)]) == 2
    assert "bank: it holds 'cat' alone" in capsys.readouterr().err


def test_its_columns_are_all_explained_and_its_measures_those_of_the_concepts():
    assert tuple(name.replace(" ", "_") for name in MEASURES) == columns.MEASURES
    for name in (*columns.TABLE, *columns.CURVE_TABLE):
        for end in ("_area", "_chance", "_others"):
            assert end not in name or f"...{end}" in columns.EXPLAINED
            name = name.replace(end, "")
        assert name in columns.EXPLAINED, name


def test_help_does_not_load_what_it_does_not_need(run_python):
    code = (
        "import sys\nfrom fixlip.__main__ import main\ntry:\n    main(['experiment', '--help'])\nexcept SystemExit:\n"
        "    pass\nassert not {'torch', 'scipy'} & set(sys.modules)"
    )
    done = run_python(code, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0 and "mutual-knowledge" in done.stdout, done.stderr


@pytest.mark.slow
def test_checkpoints_are_kept_and_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "emoji-clip", Recipe(batch_size=8))
    train("emoji-clip", tmp_path / "bare", steps=4)
    for _ in range(2):  # a second training writes over the first
        train("emoji-clip", tmp_path / "kept", steps=4, keep=[0, 1, 3, 4])
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("bare", "kept", "kept/step-4")]
    assert weights[0] == weights[1] == weights[2]
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir() if path.is_dir())
    assert kept == ["step-0", "step-1", "step-3", "step-4"]
    assert not list(tmp_path.rglob(".fixlip-*"))
    found = [fixlip.load(str(tmp_path / "kept" / name)) for name in kept]
    assert len({one.fingerprint for one in found}) == 4
    picture = Image.new("RGB", (112, 112), "red")
    assert np.isfinite(fixlip.explain(found[1], picture, "cat", budget=16, progress=False).attributions).all()


def test_steps_that_there_are_not_are_told_before_any(tmp_path):
    with pytest.raises(ValueError, match="keep: got 9, wanted steps from 0 to 4"):
        train("emoji-clip", tmp_path / "kept", steps=4, keep=[2, 9])
    assert not (tmp_path / "kept").exists()
