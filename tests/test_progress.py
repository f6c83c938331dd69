"""Bars for whoever watches, log lines for whoever reads later, optional packages."""

import io
import logging
import sys

import pytest

from fixlip import progress
from fixlip.extras import need
from fixlip.progress import duration, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass with every item."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def work(description, times, total=None):
        with progress_bar(total or len(times), description) as advance:
            for seconds in times:
                now[0] += seconds
                advance(1)

    return work


def watch(monkeypatch, stream, disabled=None):
    """A bar that shows at once, on this stream; return what was written."""
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if disabled is not None:
        monkeypatch.setenv("TQDM_DISABLE", disabled)
    with progress_bar(3, "pictures") as advance:
        advance(3)
    return stream.getvalue()


@pytest.mark.parametrize("disabled", [None, "", "0", "false"])
def test_a_terminal_gets_a_bar(monkeypatch, disabled):
    assert "pictures" in watch(monkeypatch, Terminal(), disabled)


@pytest.mark.parametrize("disabled", ["1", "true", "yes"])
def test_a_bar_can_be_switched_off(monkeypatch, disabled):
    assert watch(monkeypatch, Terminal(), disabled) == ""


def test_a_file_gets_no_bar(monkeypatch):
    assert watch(monkeypatch, io.StringIO()) == ""


def test_a_notebook_gets_a_bar_though_it_is_no_terminal(monkeypatch):
    shell = type("Shell", (), {"kernel": object()})()
    notebook = type(sys)("IPython")
    notebook.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    assert "pictures" in watch(monkeypatch, io.StringIO())
    notebook.get_ipython = lambda: None  # imported, but not at work
    assert watch(monkeypatch, io.StringIO()) == ""


def test_without_any_stderr_there_is_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(3, "pictures") as advance:
        advance(3)


def test_the_log_says_how_far_the_work_is_now_and_then(clock, caplog):
    caplog.set_level(logging.INFO, logger="fixlip")
    clock("pictures", [15, 15, 1, 20, 30, 219])
    # Half a minute passed after the second and the fifth picture, and the sixth is the last.
    assert caplog.messages == [
        "pictures: 2 of 6, about 60 s left",
        "pictures: 5 of 6, about 16 s left",
        "pictures: 6 of 6, done in 5 min",
    ]


def test_short_work_and_work_without_a_name_are_not_logged(clock, caplog):
    caplog.set_level(logging.INFO, logger="fixlip")
    clock("pictures", [5, 5, 5])
    clock(None, [100, 100])
    assert caplog.messages == []


def test_durations_for_people():
    assert [duration(s) for s in (0.4, 89, 200, 9000)] == ["0 s", "89 s", "3 min", "2.5 h"]


# ---- optional packages


def test_a_missing_package_is_told_in_one_sentence():
    with pytest.raises(ValueError, match="^trees: needs scikit-nothing, which is not installed; pip install scikit-no"):
        need("sknothing.ensemble", "trees", "scikit-nothing")
    assert need("json", "tables").loads("1") == 1


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_installed.py").write_text("import what_it_needs_itself\n")
    with pytest.raises(ValueError, match="trees: needs half_installed, which cannot be imported .*what_it_needs"):
        need("half_installed", "trees")
