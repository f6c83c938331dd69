import os
import stat
import sys

import numpy as np
import pytest
from PIL import Image

import fixlip.__main__ as command_line
import fixlip.doctor as command_line_doctor
from fixlip import Explanation
from fixlip.__main__ import main


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.effect_mandelbrot((120, 80), (-2, -1, 1, 1), 50).convert("RGB").save(path)
    return path


@pytest.fixture
def no_model(monkeypatch):
    """Whatever is refused must be refused before a model is loaded."""

    def refuse(*args, **kwargs):
        raise AssertionError("a model was loaded for input that should have been refused")

    monkeypatch.setattr("fixlip.encoders.loading.load", refuse)


def test_a_photo_becomes_a_report(picture, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert main(["explain", str(picture), "a photo of a cat", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert '"a photo of a cat"' in printed and f"written: {out}" in printed and "strongest interactions" in printed
    assert out.read_text(encoding="utf-8").count("<img") == 1 + 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["photo.jpg", "report.html"]


def test_a_scene_brings_its_own_caption_and_any_kind_of_file_is_written(tmp_path):
    common = ["explain", "scene:3", "--p", "0.7", "--out"]
    assert main([*common, str(tmp_path / "a.npz")]) == 0 == main([*common, str(tmp_path / "a.png")])
    explanation = Explanation.load(tmp_path / "a.npz")
    assert explanation.p == 0.7 and explanation.text == "an owl and a key"
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 1440


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jpg", "a cat"], "image: there is no file 'none.jpg'"),
        (["photo.jpg"], "text: a caption is missing"),
        (["scene:x", "a cat"], "image: got 'scene:x', wanted scene: and a number"),
        (["photo.jpg", "a cat", "--p", "nan"], "p: got nan, wanted a probability"),
        (["photo.jpg", "a cat", "--p", "1"], "p: got 1, wanted a probability"),
        (["photo.jpg", "a cat", "--p", "half"], "p: got 'half', wanted a number"),
        (["photo.jpg", "a cat", "--out", "none/x.html"], "out: there is no folder 'none'"),
        (["photo.jpg", "a cat", "--out", "x.pdf"], "out: got 'x.pdf', wanted a name that ends in .html"),
        (["photo.jpg", "a cat", "--out", "folder.html"], "out: 'folder.html' is a folder"),
        (["text.png", "a cat"], "image: 'text.png' is not a picture"),
        (["half.jpg", "a cat"], "image: 'half.jpg' is damaged or truncated"),
    ],
)
def test_bad_input_is_one_sentence_before_any_model(
    arguments, message, picture, no_model, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "half.jpg").write_bytes(picture.read_bytes()[:900])
    assert main(["explain", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fixlip: " + message) and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.jpg", ""], "text: the caption is empty"),
        (["photo.jpg", "cat " * 40], "text: the caption has 40 tokens, emoji-clip reads at most 14"),
        (["photo.jpg", "a cat", "--budget", "1"], "budget: got 1, wanted a whole number of at least 2"),
        (["photo.jpg", "a cat", "--budget", "-5"], "budget: got -5"),
        (["photo.jpg", "a cat", "--model", "no/such-model"], "model: 'no/such-model' is neither an embedded model"),
        (["photo.jpg", "a cat", "--model", "empty"], "model: the folder 'empty' holds no CLIP or SigLIP"),
        (["photo.jpg", "a cat", "--device", "tpu9"], "device: 'tpu9' is not available"),
    ],
)
def test_bad_input_that_only_the_model_knows_is_one_sentence(
    arguments, message, picture, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    def refuse(*args, **kwargs):
        raise AssertionError("the model was called")

    monkeypatch.setattr("fixlip.encoders.huggingface.Encoder.embed_images", refuse)
    assert main(["explain", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fixlip: " + message) and error.count("\n") == 1


def test_an_unwritable_folder_is_refused_before_the_work(picture, no_model, tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(locked, os.W_OK):  # root may write anywhere; a place where nobody may:
        locked = "/proc" if sys.platform == "linux" else pytest.skip("run as root on a system without /proc")
    assert main(["explain", str(picture), "a cat", "--out", f"{locked}/x.html"]) == 2
    assert "out: cannot write" in capsys.readouterr().err


def test_a_failed_save_loses_nothing(picture, tmp_path, monkeypatch, capsys):
    real, calls = command_line._write, []

    def full_disk(explanation, path):
        calls.append(path)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(explanation, path)

    monkeypatch.setattr(command_line, "_write", full_disk)
    out = tmp_path / "x.npz"
    assert main(["explain", str(picture), "a cat", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "cannot write" in captured.err and not out.exists()
    refuge = captured.out.strip().rsplit("written: ", 1)[1]
    assert np.isfinite(Explanation.load(refuge).constant)


def test_it_runs_as_a_module_and_shows_no_traceback(run_python, tmp_path):
    result = run_python("-m", "fixlip", "explain", "none.jpg", "a cat", cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr == "fixlip: image: there is no file 'none.jpg'.\n"
    assert run_python("-m", "fixlip", "--version").stdout.startswith("fixlip 0.")


def test_the_doctor_says_what_is_there_and_what_is_missing(monkeypatch, capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "torch" in printed and "emoji-clip" in printed and "All is well." in printed
    real = command_line_doctor._version
    monkeypatch.setattr(command_line_doctor, "_version", lambda name: None if name == "scipy" else real(name))
    assert main(["doctor"]) == 1
    assert "MISSING: pip install scipy" in capsys.readouterr().out
