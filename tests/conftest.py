import os

# Workers share the processor: one thread each, in what they start as well, such as the chapters' kernels. OpenMP reads
# this once, when torch is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from toys import ORACLES


@pytest.fixture(scope="session")
def tiny_clip():
    from transformers import AutoModel

    return AutoModel.from_pretrained(ORACLES / "tiny_clip", attn_implementation="eager").eval()


@pytest.fixture(scope="session")
def oracle():
    """Load an oracle file by name; arrays come as a dictionary."""

    def load(name):
        with np.load(ORACLES / f"{name}.npz") as archive:
            return {key: archive[key] for key in archive.files}

    return load


@pytest.fixture(scope="session")
def tiny_game(tiny_clip, oracle):
    """The game of one of the oracles' three inputs."""
    from fixlip import Game

    inputs = oracle("inputs")

    def make(i):
        ids = inputs["input_ids"][i, : inputs["lengths"][i]]
        return Game.from_inputs(tiny_clip, inputs["pixel_values"][i], ids)

    return make


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def run_python():
    """Run Python in a process of its own: the code, or arguments such as "-m", "fixlip"."""
    import subprocess
    import sys

    def run(*arguments, **options):
        arguments = ("-c", *arguments) if len(arguments) == 1 else arguments
        return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, **options)

    return run
