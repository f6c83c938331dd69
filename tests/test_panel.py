"""Jobs in the background, errors, cancel and threads: what all widgets share."""

import logging
import sys
import threading
from functools import partial

import numpy as np
import pytest

import fixlip
import fixlip_widgets as widgets


@pytest.fixture(scope="module")
def game():
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(fixlip.load("emoji-clip", device="cpu"), scene.image, scene.caption)


@pytest.fixture
def samples(game):
    return fixlip.sample(game, 64, progress=False)


def shown_values(view):
    return np.frombuffer(view.values, np.float32)


def test_whatever_ends_a_job_is_said_and_the_next_job_runs(samples, caplog):
    explorer = widgets.Explorer(samples)

    def broken():
        assert explorer.cancel.layout.display == ""
        {}["seven"]

    explorer.in_background(broken)
    explorer.wait()
    assert explorer.cancel.layout.display == "none"
    assert 'role="alert"' in explorer.message.value and "KeyError: &#x27;seven&#x27;" in explorer.message.value
    assert "in broken" in caplog.text, "the traceback is for the log"

    def leaves():
        raise SystemExit(3)

    done = []
    for job in (leaves, lambda: done.append("next")):
        explorer.in_background(job)
        explorer.wait()
    assert done == ["next"] and explorer.cancel.layout.display == "none"


def test_an_error_that_nobody_foresaw_appears_in_the_widget_too(samples, monkeypatch, caplog):
    explorer = widgets.Explorer(samples)

    def broken(*arguments, **options):
        raise KeyError("seven")

    monkeypatch.setattr(type(samples), "explain", broken)
    explorer.p.value = 0.7
    assert "KeyError: &#x27;seven&#x27;" in explorer.message.value and "in broken" in caplog.text
    monkeypatch.undo()
    explorer.p.value = 0.6
    assert explorer.message.value == "" and explorer.state.explanation.p == 0.6


def test_what_was_foreseen_is_one_sentence_and_no_traceback(samples, caplog):
    explorer = widgets.Explorer(samples)

    def refused():
        raise ValueError("p: got 2, wanted less.")

    with caplog.at_level(logging.INFO):
        explorer.in_background(refused)
        explorer.wait()
    assert ">p: got 2, wanted less.<" in explorer.message.value and not caplog.records


def test_cancel_drops_the_job_that_waits_too(samples):
    explorer, done = widgets.Explorer(samples), []
    started, gate = threading.Event(), threading.Event()

    def first():
        started.set()
        gate.wait(10)
        explorer.check_cancelled()
        done.append("first")

    explorer.in_background(first)
    assert started.wait(10)
    explorer.in_background(lambda: done.append("second"))
    explorer.cancel.click()
    gate.set()
    explorer.wait()
    assert done == [] and "cancelled" in explorer.message.value and explorer.cancel.layout.display == "none"


def test_of_jobs_that_queue_up_only_the_last_is_run(samples):
    explorer, done = widgets.Explorer(samples), []
    started, gate = threading.Event(), threading.Event()
    explorer.in_background(lambda: (started.set(), gate.wait(10), done.append("first")))
    assert started.wait(10)
    for name in ("second", "third", "last"):
        explorer.in_background(lambda name=name: done.append(name))
    gate.set()
    explorer.wait()
    assert done == ["first", "last"]


@pytest.fixture
def hasty_threads():
    """Threads take turns a hundred times as often, so that what is not safe goes wrong."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(usual)


def run_at_once(*jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_widgets_share_samples_from_two_threads(game, hasty_threads):
    shared, alone = (fixlip.sample(game, 64, progress=False) for _ in range(2))
    panels, wrong = {p: widgets.Explorer(shared) for p in (0.3, 0.7)}, []
    expected = {p: alone.explain(p) for p in panels}

    def move(p):
        for step in range(150):
            panels[p].state.p = p + 1e-3 * (step % 2)
            found = panels[p].state.explanation
            if found.p == p and not np.allclose(found.interactions, expected[p].interactions, atol=1e-6):
                wrong.append(p)

    run_at_once(*(partial(move, p) for p in panels))
    assert wrong == []
    np.testing.assert_allclose(shown_values(panels[0.3].view), alone.explain(0.3 + 1e-3).values, rtol=1e-4, atol=1e-5)


def test_controls_moved_in_two_threads_leave_what_they_say(samples, hasty_threads):
    """JupyterLab runs callbacks in two threads: neither may leave the other's earlier setting on the screen."""
    explorer = widgets.Explorer(samples)

    def move(control, values):
        for value in values * 20:
            control.value = value

    moves = [(explorer.p, [0.3, 0.8]), (explorer.order, [1, 2]), (explorer.budget, [40, 64])]
    run_at_once(*(partial(move, *one) for one in moves))
    found = explorer.state.explanation
    assert (found.p, found.order) == (explorer.p.value, explorer.order.value) == (0.8, 2)
    np.testing.assert_allclose(shown_values(explorer.view), samples.explain(0.8, budget=64).values, rtol=1e-4)
