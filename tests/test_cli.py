import csv
import os
import stat
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from PIL import Image
from toys import mosaic

import fixlip.doctor as command_line_doctor
from fixlip import Explanation
from fixlip.__main__ import main
from fixlip.commands import output
from fixlip.commands.experiment import NAMES

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="wants /dev/full and limits of file sizes")


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

    monkeypatch.setattr("fixlip.load", refuse)


def test_a_photo_becomes_a_report(picture, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert main(["explain", str(picture), "a photo of a cat", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert '"a photo of a cat"' in printed and f"written: {out}" in printed and "strongest interactions" in printed
    assert out.read_text(encoding="utf-8").count("<img") == 1 + 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["photo.jpg", "report.html"]


@pytest.mark.slow
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
        (["n" * 5000, "a cat"], "image: no file can have the name 'nnn"),
        (["photo.jpg", "a caf\udce9"], "text: got 'a caf\\udce9', wanted text in UTF-8"),
        (["scene:" + "9" * 5000], "image: got 'scene:999"),
        (["photo.jpg", "a cat", "--out", "n" * 5000 + ".html"], "out: cannot write 'nnn"),
        (["photo.jpg", "a cat", "--p", "1e-12"], "p: got 1e-12, wanted a probability from 0.01 to 0.99"),
        (["photo.jpg", "a cat", "--seed", "-1"], "seed: got -1, wanted a whole number of at least 0"),
        (["photo.jpg", "a cat", "--seed", "a"], "seed: got 'a', wanted a whole number of at least 0"),
        (["photo.jpg", "a cat", "--budget", "1"], "budget: got 1, wanted a whole number of at least 2"),
        (["photo.jpg", "a cat", "--budget", "-5"], "budget: got -5"),
        (["photo.jpg", "a cat", "--budget", "9" * 5000], "budget: got '9999"),
        (
            ["photo.jpg", "a cat", "--budget", "20000"],
            "budget: got 20,000 masks, but the kernel estimator takes 12,288",
        ),
        (["photo.jpg", "a cat", "--budget", "1000000000"], "budget: got 1,000,000,000, wanted at most 4,194,304 masks"),
        (["photo.jpg", "a cat", "--batch-size", "0"], "batch_size: got 0, wanted a whole number of at least 1"),
        (["photo.jpg", "a cat", "--estimator", "magic"], "estimator: got 'magic', wanted one of kernel"),
        (["photo.jpg", "a cat", "--index", "magic"], "index: got 'magic', wanted one of banzhaf"),
        (["photo.jpg", "a cat", "--basis", "crossmodal"], "basis: got 'crossmodal', wanted one of full"),
        (["photo.jpg", "a cat", "--target-faithfulness", "2"], "target_faithfulness: got 2, wanted"),
        (["photo.jpg", "a cat", "--target-faithfulness", "much"], "target_faithfulness: got 'much', wanted"),
        (["photo.jpg"], "text: a caption is missing"),
        (["scene:x", "a cat"], "image: got 'scene:x', wanted scene: and a number"),
        (["photo.jpg", "a cat", "--p", "nan"], "p: got nan, wanted a probability"),
        (["photo.jpg", "a cat", "--p", "1"], "p: got 1, wanted a probability"),
        (["photo.jpg", "a cat", "--p", "half"], "p: got 'half', wanted a number"),
        (["photo.jpg", "a cat", "--out", "none/x.html"], "out: there is no folder 'none'"),
        (["photo.jpg", "a cat", "--out", "x.txt"], "out: got 'x.txt', wanted a name that ends in .html"),
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
    assert error.startswith("fixlip: " + message) and error.count("\n") == 1 and len(error) < 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.jpg", ""], "text: the caption is empty"),
        (["photo.jpg", "cat " * 40], "text: the caption has 40 tokens, emoji-clip reads at most 14"),
        (["photo.jpg", "a cat", "--model", "no/such-model"], "model: 'no/such-model' is neither an embedded model"),
        (["photo.jpg", "a cat", "--model", "empty"], "model: the folder 'empty' holds no CLIP or SigLIP"),
        (["photo.jpg", "a cat", "--device", "tpu9"], "device: 'tpu9' is not available"),
        (["photo.jpg", "a cat", "--device", "meta"], "device: 'meta' is not available"),
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
    monkeypatch.setattr(output, "check_writable", lambda path: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = tmp_path / "vanished" / "x.npz"
    assert main(["explain", str(picture), "a cat", "--budget", "32", "--out", str(out)]) == 0
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


# ---- standard output and files that fail


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("out", ["/dev/full", "no reader", "closed", "ascii"])
def test_the_result_is_in_its_file_whatever_the_standard_output_does(out, tmp_path):
    command = [sys.executable, "-m", "fixlip", "explain", "scene:3", "--quiet", "--budget", "32", "--out", "x.npz"]
    options = {"cwd": tmp_path, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    options["env"] = os.environ | {"PYTHONPATH": os.getcwd(), "PYTHONIOENCODING": "ascii" if out == "ascii" else ""}
    if out == "no reader":
        reader, options["stdout"] = os.pipe()
        os.close(reader)
    elif out == "closed":
        options["preexec_fn"] = lambda: os.close(1)
    elif out == "/dev/full":
        options["stdout"] = os.open(out, os.O_WRONLY)
    result = subprocess.run(command, **options)
    assert result.returncode == (0 if out == "ascii" else 1)
    assert Explanation.load(tmp_path / "x.npz").budget == 32
    error = result.stderr.decode()
    assert "Traceback" not in error and "Exception ignored" not in error
    if out == "ascii":
        assert b"\\xb1" in result.stdout, "the plus-minus sign, as ASCII can show it"
    else:
        assert all(line.startswith("fixlip: ") for line in error.splitlines()) and "written: x.npz" in error


@LINUX
@pytest.mark.parametrize("ending", [".html", ".png", ".csv", ".npz"])
def test_a_full_disk_leaves_the_old_result_as_it_was(ending, tmp_path, monkeypatch):
    import resource

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = tmp_path / f"x{ending}"
    out.write_text("the old result")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises((OSError, ValueError)):
            output.write(mosaic(), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert out.read_text() == "the old result"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [out.name], "nothing is left beside it"


@LINUX
def test_what_can_be_written_nowhere_is_at_least_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setattr(output, "check_writable", lambda path: None)
    assert main(["explain", "scene:3", "--quiet", "--budget", "32", "--out", str(tmp_path / "none" / "x.html")]) == 2
    captured = capsys.readouterr()
    assert "strongest interactions" in captured.out and "written" not in captured.out
    assert captured.err.splitlines()[-1].startswith("fixlip: out: nothing could be written")


def test_a_file_system_that_fails_is_one_sentence_and_a_mistake_of_ours_is_none(monkeypatch, capsys):
    def fail(error):
        def report():
            raise error

        monkeypatch.setattr(command_line_doctor, "report", report)
        return main(["doctor"])

    assert fail(OSError(28, "No space left on device", "table.csv")) == 2
    assert capsys.readouterr().err == "fixlip: 'table.csv': No space left on device\n"
    assert fail(NotADirectoryError(20, "Not a directory", "x/y")) == 2
    assert fail(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.endswith("fixlip: interrupted.\n")
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())


# ---- tables


def test_a_table_has_a_row_for_every_term(tmp_path):
    common = ["explain", "scene:3", "--budget", "32", "--seed", "5", "--out"]
    assert main([*common, str(tmp_path / "a.csv")]) == 0 == main([*common, str(tmp_path / "a.npz")])
    explanation = Explanation.load(tmp_path / "a.npz")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    n = explanation.n_players
    assert len(rows) == n + n * (n - 1) // 2 and list(rows[0]) == list(explanation.table())
    terms = [*explanation.values, *explanation.interactions[np.triu_indices(n, 1)]]
    assert sorted(float(row["value"]) for row in rows) == sorted(terms), "not a digit is lost"
    assert all(float(row["stderr"]) > 0 for row in rows)


def test_what_a_table_does_not_know_is_empty(tmp_path):
    output.write(mosaic(tokens=("cat, black", '"x"')), tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["stderr"] for row in rows} == {""} and any("cat, black" in "".join(row.values()) for row in rows)


# ---- options of every command


@pytest.fixture
def loaded(monkeypatch):
    """What a model is asked for; it is not loaded."""
    asked = []

    def load(name, **options):
        asked.append({"name": name} | options)
        raise ValueError("that will do")

    monkeypatch.setattr("fixlip.load", load)
    return asked


def test_options_of_the_model_reach_it(loaded, tmp_path):
    out = ["--out", str(tmp_path / "x.html")]
    options = ["--model", "m", "--device", "cpu", "--dtype", "bfloat16", "--batch-size", "3"]
    assert main(["explain", "scene:1", *out, *options, "--text-masking", "remove", "--image-masking", "blur"]) == 2
    assert main(["explain", "scene:1", *out]) == 2
    masking = {"image_masking": "blur", "text_masking": "remove"}
    first, second = loaded
    assert first == {"name": "m", "device": "cpu", "dtype": "bfloat16", "batch_size": 3} | masking
    assert second["batch_size"] == second["device"] == "auto"


def test_options_of_the_method_reach_it(tmp_path):
    out = tmp_path / "x.npz"
    common = ["explain", "scene:3", "--out", str(out), "--quiet"]
    assert main([*common, "--estimator", "crossmodal", "--basis", "crossmodal", "--budget", "200"]) == 0
    explanation = Explanation.load(out)
    assert explanation.budget == 200 and "least squares" in explanation.estimator
    within = explanation.interactions[: explanation.n_image, : explanation.n_image]
    assert not within.any() and explanation.interactions.any()
    assert main([*common, "--index", "sii", "--budget", "64"]) == 0
    assert Explanation.load(out).index == "sii"
    assert main([*common, "--target-faithfulness", "0.3"]) == 0
    assert Explanation.load(out).budget == 64, "the first round is enough"


def test_quiet_says_nothing_beside_the_result_and_verbose_more(tmp_path, capsys):
    common = ["explain", "scene:3", "--budget", "32", "--out", str(tmp_path / "x.npz")]
    said = {}
    for option in ("--quiet", "--no-progress", "--verbose"):
        assert main([*common, option]) == 0
        captured = capsys.readouterr()
        assert "similarity" in captured.out
        said[option] = captured.err
    assert said["--quiet"] == said["--no-progress"] == ""
    assert "to encode" in said["--verbose"] and "loaded in" in said["--verbose"]
    assert main(common) == 0
    error = capsys.readouterr().err
    assert "to encode" in error and "loaded in" not in error


@pytest.mark.filterwarnings("always")
def test_an_interrupted_explanation_is_announced_in_one_line(tmp_path, monkeypatch, capsys):
    from fixlip.encoders.huggingface import Encoder

    real = Encoder.embed_images

    def interrupted(self, pixels, masks):
        for k, batch in enumerate(real(self, pixels, masks)):
            if k == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(Encoder, "embed_images", interrupted)
    out = tmp_path / "x.npz"
    whole = ["--target-faithfulness", "none", "--batch-size", "32"]
    assert main(["explain", "scene:3", "--quiet", *whole, "--out", str(out)]) == 0
    error = capsys.readouterr().err
    assert error.startswith("fixlip: interrupted: going on with ") and error.count("\n") == 1
    assert ".py" not in error and "Warning" not in error and Explanation.load(out).budget < 100


# ---- experiments


def test_options_reach_the_experiment(tmp_path, monkeypatch):
    asked = []

    def run(settings, *arguments, **options):
        asked.append(settings)
        raise ValueError("that will do")

    monkeypatch.setattr("fixlip.experiments.runner.run", run)
    options = ["--model", "m", "--device", "cpu", "--dtype", "bfloat16", "--batch-size", "3", "--seed", "7"]
    assert main(["experiment", "runtime", "--p", "0.7", "0.3", "0.7", *options]) == 2
    assert main(["experiment", "faithfulness"]) == 2
    first, second = asked
    assert (first.model, first.device, first.dtype, first.batch_size, first.seed) == ("m", "cpu", "bfloat16", 3, 7)
    assert first.ps == (0.3, 0.7) and first.budget == 4096
    assert second.batch_size == second.device == "auto" and second.seed == 0 and second.budget == 512


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0"], "budget: got 0, wanted a whole number of at least 2"),
        (["--limit", "0"], "limit: got 0"),
        (["--limit", "a"], "limit: got 'a'"),
        (["--workers", "0"], "workers: got 0"),
        (["--seed", "-1"], "seed: got -1"),
        (["--p", "0.5", "x"], "p: got 'x'"),
        (["--batch-size", "x"], "batch_size: got 'x'"),
    ],
)
def test_a_bad_experiment_is_one_sentence_before_any_model(arguments, message, no_model, tmp_path, capsys):
    assert main(["experiment", "faithfulness", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fixlip: " + message) and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_interrupted_experiment_says_what_is_kept(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fixlip.experiments.runner.run", interrupted)
    assert main(["experiment", "faithfulness", "--out", str(tmp_path)]) == 130
    error = capsys.readouterr().err
    assert "are kept in" in error and str(tmp_path) in error and error.count("\n") == 1


# ---- help


def help_of(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"] if command else ["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.isascii(), "every console can show it"
    return " ".join(text.split())


def test_help_names_what_can_be_chosen(capsys):
    from fixlip.encoders.captions import TEXT_MASKINGS
    from fixlip.encoders.devices import DTYPES
    from fixlip.encoders.masking import IMAGE_MASKINGS
    from fixlip.encoders.sources import EMBEDDED
    from fixlip.estimators.indices import INDICES
    from fixlip.methods import METHODS

    text = help_of("explain", capsys)
    for name in (*METHODS, *INDICES, *DTYPES, *IMAGE_MASKINGS, *TEXT_MASKINGS, *output.KINDS, EMBEDDED[0]):
        assert name in text
    assert "python -m fixlip explain photo.jpg" in text and "probability with which each patch" in text


@pytest.mark.slow
def test_help_of_experiments_explains_what_goes_in_and_what_comes_out(tmp_path, capsys):
    text = help_of("experiment", capsys)
    for name in NAMES:
        out = ["--budget", "64", "--p", "0.5", "--out", str(tmp_path)]
        assert main(["experiment", name, "--limit", "1", "--quiet", *out]) == 0
    tables = sorted(tmp_path.glob("*.csv"))
    assert len(tables) == len(NAMES) + 1, "one for each, and one for curves"
    for table in tables:
        for column in table.read_text(encoding="utf-8").splitlines()[0].split(","):
            assert f" {column} " in text, f"{column} of {table.name}"
    assert "columns file and caption" in text and "four subfolders" in text and ".txt beside each picture" in text


def test_commands_that_run_models_share_their_options(capsys):
    for command in ("explain", "experiment"):
        text = help_of(command, capsys)
        for option in ("--model", "--device", "--dtype", "--batch-size", "--seed", "--quiet", "--verbose"):
            assert f"{option} " in text or f"{option}," in text


def test_help_loads_no_torch(run_python):
    code = """
import sys
from fixlip.__main__ import main
for arguments in (["--help"], ["explain", "--help"], ["experiment", "--help"]):
    try:
        main(arguments)
    except SystemExit:
        pass
print("torch" in sys.modules)
"""
    assert run_python(code).stdout.splitlines()[-1] == "False"


def test_a_wrong_command_line_is_one_sentence(capsys):
    for arguments in ([], ["explain"], ["experiment", "magic"], ["explain", "a", "b", "--what"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        error = capsys.readouterr().err
        assert ended.value.code == 2 and error.startswith("fixlip: ") and error.count("\n") == 1


# ---- methods that take what they need


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["occlusion", "--budget", "64"], "budget: got 64, but the estimator 'occlusion' takes as many forward and"),
        (["exact", "--budget", "64"], "budget: got 64, but the estimator 'exact' takes as many coalitions as it needs"),
        (["occlusion", "--p", "0.3"], "p: got 0.3, but the estimator 'occlusion' averages over no coalitions"),
        (["occlusion", "--index", "banzhaf"], "index: got 'banzhaf', wanted one of scores with the estimator"),
        (["occlusion", "--order", "2"], "order: got 2, wanted 1 with the estimator 'occlusion'"),
    ],
)
def test_what_means_nothing_to_a_method_is_refused_before_any_model(options, message, no_model, tmp_path, capsys):
    out = ["--out", str(tmp_path / "x.html")]
    assert main(["explain", "scene:3", "--estimator", *options, *out]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"fixlip: {message}") and printed.count("\n") == 1


def test_the_library_refuses_it_too():
    import fixlip

    for options in ({"budget": 64}, {"p": 0.3}):
        with pytest.raises(ValueError, match="got .*, but the estimator 'occlusion'"):
            fixlip.explain(None, None, "a cat", estimator="occlusion", **options)


def test_a_baseline_goes_to_any_kind_of_file(tmp_path, capsys):
    common = ["explain", "scene:3", "--estimator", "occlusion", "--p", "0.5", "--out"]
    for kind in output.KINDS:
        assert main([*common, str(tmp_path / f"x{kind}")]) == 0
    printed = capsys.readouterr()
    assert "forward and backward passes, about" in printed.err and "What occlusion finds relevant" in printed.out
    with open(tmp_path / "x.csv", newline="", encoding="utf-8") as file:
        assert {row["unit"] for row in csv.DictReader(file)} == {"logits"}


def test_a_table_of_scores_does_not_claim_logits(tmp_path):
    output.write(Explanation.from_heatmap(np.arange(49) / 1e4, mosaic(), name="mine"), tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert "logit" not in text and {row["unit"] for row in rows} == {"scores of mine"}
    assert float(rows[0]["value"]) == 0.0048, "as it is, not relative to the largest"


def test_help_says_what_scores_and_budgets_mean(capsys):
    text = help_of("explain", capsys)
    assert "scores numbers by the rule of the method, averages over no masks" in text
    assert "they rank patches and words and predict no similarity" in text
    assert "takes as many forward and backward passes as it needs: no budget, no p" in text
