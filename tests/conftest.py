from pathlib import Path

import numpy as np
import pytest

ORACLES = Path(__file__).parent / "oracles"


class TableGame:
    """A game given as a list of its 2^n values; bit k of the row says whether player k is present."""

    def __init__(self, values, n_image, n_text):
        self.values, self.n_image, self.n_text = np.asarray(values, float), n_image, n_text

    def __call__(self, masks):
        return self.values[masks @ 2 ** np.arange(masks.shape[1])]


class RandomBilinearGame:
    """Two random tables of embeddings: a game as general as a bilinear one can be."""

    def __init__(self, n_image, n_text, dimension=5, scale=7.0, bias=-2.0, seed=0):
        rng = np.random.default_rng(seed)
        self.n_image, self.n_text, self.scale, self.bias = n_image, n_text, scale, bias
        self.images = rng.normal(size=(2**n_image, dimension))
        self.texts = rng.normal(size=(2**n_text, dimension))

    def embed_images(self, masks, progress=False):
        return self.images[masks @ 2 ** np.arange(self.n_image)]

    def embed_texts(self, masks, progress=False):
        return self.texts[masks @ 2 ** np.arange(self.n_text)]

    def __call__(self, masks):
        images, texts = self.embed_images(masks[:, : self.n_image]), self.embed_texts(masks[:, self.n_image :])
        return self.scale * np.einsum("md,md->m", images, texts) + self.bias


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
