"""A Dask cluster: the same table and the same grid as without one, whatever happens to its workers."""

import copy
import os
import signal
import sys
import threading

import numpy as np
import pytest
import torch

import fixlip
from fixlip import cluster, gridwork
from fixlip.__main__ import main
from fixlip.cluster import connected, spread
from fixlip.encoders.sent import Sent
from fixlip.experiments import runner
from fixlip.experiments.runner import run
from fixlip.experiments.settings import Settings

SETTINGS = Settings("faithfulness", "emoji-clip", (0.5,), 16, masks=20)
SCENES = [fixlip.emoji.scene(seed) for seed in (1, 2, 3)]
IMAGES, CAPTIONS = [scene.image for scene in SCENES], [scene.caption for scene in SCENES]


@pytest.fixture(scope="module")
def client():
    """Of two workers, two processes of this machine."""
    with connected("local:2") as client:
        yield client


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(autouse=True)
def one_thread():
    """As the workers have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def after_the_first(monkeypatch, module, happens):
    """Let something happen when the first result has come; returns the numbers of all results."""
    came = []

    def watched(client, call, jobs):
        for number, result in spread(client, call, jobs):
            came.append(number)
            yield number, result
            if len(came) == 1:
                happens()

    monkeypatch.setattr(module, "spread", watched)
    return came


def killing(client):
    """What kills a worker that has work, and the list of those killed with the work that they had."""
    processes, killed = client.run(os.getpid), []

    def kill():
        address, work = next((address, work) for address, work in client.processing().items() if work)
        os.kill(processes[address], signal.SIGKILL)
        killed.append((address, len(work)))

    return kill, killed


def assert_same(grid, other):
    for one, two in zip(grid.images + grid.texts, other.images + other.texts, strict=True):
        for side in ("image_side", "text_side"):
            for part in ("masks", "weights", "embeddings"):
                np.testing.assert_array_equal(getattr(getattr(one, side), part), getattr(getattr(two, side), part))
    np.testing.assert_array_equal(grid[1, 2].interactions, other[1, 2].interactions)


@pytest.mark.slow
def test_a_killed_worker_takes_nothing_from_a_table(client, tmp_path, monkeypatch, capsys):
    alone = run(SETTINGS, limit=2, out=tmp_path / "alone", progress=False)
    kill, killed = killing(client)
    came = after_the_first(monkeypatch, runner, kill)
    command = f"experiment faithfulness --limit 2 --budget 16 --masks 20 --p 0.5 --out {tmp_path} --quiet"
    assert main([*command.split(), "--dask", client.scheduler_info()["address"]]) == 0, capsys.readouterr().err
    assert killed and sorted(came) == [0, 1]
    assert killed[0][0] not in client.nthreads()  # Dask has put another one in its place, or is about to
    assert (tmp_path / alone.name).read_bytes() == alone.read_bytes()
    assert set(client.run(torch.get_num_threads).values()) == {1}


@pytest.mark.slow
def test_a_grid_is_the_same_after_an_interruption_and_a_killed_worker(client, encoder, tmp_path, monkeypatch):
    options = {"budget": 48, "seed": 3, "progress": False}
    alone = fixlip.explain_all(encoder, IMAGES, CAPTIONS, **options)

    def interrupt():
        raise KeyboardInterrupt

    after_the_first(monkeypatch, gridwork, interrupt)
    with pytest.raises(KeyboardInterrupt):
        fixlip.explain_all(encoder, IMAGES, CAPTIONS, dask=client, resume=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 1  # what had come is kept
    kill, killed = killing(client)
    came = after_the_first(monkeypatch, gridwork, kill)
    # One that was not loaded by its name goes as it is.
    own = copy.copy(encoder)
    own.recipe = None
    grid = fixlip.explain_all(own, IMAGES, CAPTIONS, dask=client, resume=tmp_path, **options)
    assert killed and sorted(came) == [0, 1, 2, 3, 4]
    assert_same(grid, alone)
    monkeypatch.setattr(gridwork, "encode", None)  # all is known: nothing is asked of a worker
    assert_same(fixlip.explain_all(encoder, IMAGES, CAPTIONS, dask=client, resume=tmp_path, **options), alone)


def test_what_cannot_be_is_one_sentence_before_the_work(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(runner, "plan", None)
    for dask, message in (
        ("tcp://127.0.0.1:9", "^dask: no scheduler answers at 'tcp://127.0.0.1:9' .*; wanted the address of one"),
        (5, "^dask: no scheduler answers at 5 "),
        ("local:0", "^dask: got 'local:0', wanted at least one worker"),
    ):
        with pytest.raises(ValueError, match=message):
            fixlip.explain_all(encoder, ["no such picture"], CAPTIONS, dask=dask)
        with pytest.raises(ValueError, match=message):
            run(SETTINGS, limit=1, out=tmp_path, dask=dask)
    with pytest.raises(ValueError, match="^workers: got 2 beside dask, wanted one or the other"):
        run(SETTINGS, limit=1, out=tmp_path, workers=2, dask="local:2")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ValueError, match="^dask: needs distributed, which is not installed; pip install dist"):
            fixlip.explain_all(encoder, IMAGES, CAPTIONS, dask="local:2")
    locked = copy.copy(encoder)
    locked.recipe, locked.lock = None, threading.Lock()
    with pytest.raises(ValueError, match="^encoder: 'emoji-clip' cannot be sent to workers .*lock.*; wanted one from"):
        fixlip.explain_all(locked, IMAGES, CAPTIONS, dask="tcp://127.0.0.1:9")


def test_a_worker_opens_the_encoder_that_was_sent_once(encoder):
    sent = Sent.of(encoder)
    assert not sent.pickled and sent.open() is sent.open() is not encoder
    assert sent.open().fingerprint == encoder.fingerprint
    other = Sent(sent.name, "0" * 16, sent.recipe)
    with pytest.raises(ValueError, match="^encoder: where the workers run, the model 'emoji-clip' has other weights"):
        other.open()
