"""Games and explanations with known numbers in them."""

from pathlib import Path

import numpy as np

from fixlip import Explanation, emoji
from fixlip.subject import Subject, patch_labels

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


class SmoothGame:
    """Embeddings that are smooth functions of a few weighted sums of the mask, on more players than are enumerated."""

    scale, bias = 5.0, -1.0

    def __init__(self, n_image=30, n_text=4, seed=0):
        rng = np.random.default_rng(seed)
        self.n_image, self.n_text = n_image, n_text
        self.image_map, self.text_map = rng.normal(size=(n_image, 3)), rng.normal(size=(n_text, 3))
        self.mix = rng.normal(size=(3, 6))
        self.calls = 0

    def embed_images(self, masks, progress=False):
        self.calls += len(masks)
        return np.tanh(masks @ self.image_map / 3) @ self.mix

    def embed_texts(self, masks, progress=False):
        return np.sin(masks @ self.text_map / 2 + 1) @ self.mix

    def __call__(self, masks):
        images, texts = self.embed_images(masks[:, : self.n_image]), self.embed_texts(masks[:, self.n_image :])
        return self.scale * np.sum(images * texts, axis=1) + self.bias


class WaveGame:
    """Embeddings that are sines of a few weighted sums of the mask: derivatives at every p are known exactly.

    With the phase b and weights w, E_p[exp(i (w x + b))] is exp(i b) times a product over players j of
    1 - p + p exp(i w_j), in which a derivative replaces its players' factors by exp(i w_j) - 1.
    """

    scale, bias = 5.0, -1.0

    def __init__(self, n_image=30, n_text=4, width=0.3, seed=0):
        rng = np.random.default_rng(seed)
        self.n_image, self.n_text = n_image, n_text
        # Players differ: some weigh several times as much as others.
        self.image_waves = width * rng.normal(size=(n_image, 6)) * rng.gamma(1.0, size=(n_image, 1))
        self.text_waves = rng.normal(size=(n_text, 6)) / 2
        self.phases, self.mix = rng.uniform(0, 2 * np.pi, (2, 6)), rng.normal(size=(6, 6))

    def embed_images(self, masks, progress=False):
        return np.sin(masks @ self.image_waves + self.phases[0]) @ self.mix

    def embed_texts(self, masks, progress=False):
        return np.sin(masks @ self.text_waves + self.phases[1]) @ self.mix

    def __call__(self, masks):
        images, texts = self.embed_images(masks[:, : self.n_image]), self.embed_texts(masks[:, self.n_image :])
        return self.scale * np.sum(images * texts, axis=1) + self.bias

    def derivatives(self, p):
        """D_i, (n,), and D_ij, (n, n), of the value at p."""
        sides = []
        for waves, phase in ((self.image_waves, self.phases[0]), (self.text_waves, self.phases[1])):
            average = 1 - p + p * np.exp(1j * waves)
            base, ratio = np.exp(1j * phase) * average.prod(axis=0), (np.exp(1j * waves) - 1) / average
            pairs = np.imag(base * ratio[:, None] * ratio[None]) @ self.mix
            pairs[np.arange(len(pairs)), np.arange(len(pairs))] = 0
            sides.append((np.imag(base) @ self.mix, np.imag(base * ratio) @ self.mix, pairs))
        (f0, f1, f2), (g0, g1, g2) = sides
        pairs = np.block([[f2 @ g0, f1 @ g1.T], [g1 @ f1.T, g2 @ f0]])
        return self.scale * np.concatenate([f1 @ g0, g1 @ f0]), self.scale * pairs


def mosaic(grid=(7, 7), tokens=("cat", "banana", "tractor", "ball"), seed=0, image=True, p=0.5):
    """A 2x2 scene; patches of an object interact with its word, a little of everything else with everything."""
    shown = emoji.scene(seed, words=["cat", "banana", "tractor", "ball"], layout="grid")
    rows, columns = grid
    n_image, n = rows * columns, rows * columns + len(tokens)
    rng = np.random.default_rng(seed)
    attributions, pairs = rng.normal(size=n) * 0.15, rng.normal(size=(n, n)) * 0.02
    for word, (left, top, right, bottom) in zip(shown.objects, shown.boxes, strict=True):
        for i in range(n_image):
            x, y = (i % columns + 0.5) * 336 / columns, (i // columns + 0.5) * 336 / rows
            if left <= x <= right and top <= y <= bottom:
                attributions[i] += 0.5
                for k, token in enumerate(tokens):
                    pairs[i, n_image + k] += 0.8 if token == word else -0.2
    pairs = np.triu(pairs, 1)
    subject = Subject(
        n_image,
        len(tokens),
        (*patch_labels(grid), *tokens),
        grid,
        np.asarray(shown.image) if image else None,
        " ".join(tokens),
        "toy",
    )
    ends = {"empty_value": 12.1, "full_value": 27.32}
    return Explanation(12.1, attributions, pairs + pairs.T, subject, p=p, estimator="by hand", budget=4096, **ends)


def make(p=0.4, seed=0, **changes):
    """Six patches and three tokens with known numbers in them."""
    rng = np.random.default_rng(seed)
    pairs = np.triu(rng.normal(size=(9, 9)), 1)
    picture = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    labels = (*patch_labels((2, 3)), "black", "dog", "dog")
    players = Subject(6, 3, labels, (2, 3), picture, "black dog dog", "toy")
    fields = {
        "constant": 1.25,
        "attributions": rng.normal(size=9),
        "interactions": pairs + pairs.T,
        "subject": players,
        "p": p,
        "estimator": "by hand",
        "budget": 64,
        "empty_value": 1.5,
        "full_value": 9.25,
    }
    return Explanation(**(fields | changes))


def quadratic(n, seed=0, first=None, second=None, n_text=2):
    """An explanation of n players with given or normal numbers; only the upper triangle of `second` is read."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n) if first is None else first
    pairs = np.triu(rng.normal(size=(n, n)) if second is None else second, 1)
    return Explanation(0.5, first, pairs + pairs.T, Subject(n - n_text, n_text, tuple(map(str, range(n)))))


def published(estimator, name):
    """The published code's explanation of 49 + 6 players, from the arrays of the oracle "fixlip_estimator"."""
    n = 55
    second = np.zeros((n, n))
    key = f"{name}_full" if name == "shap" else f"{name}_full_ones"
    second[np.triu_indices(n, 1)] = estimator[f"{key}_second"]
    return quadratic(n, first=estimator[f"{key}_first"], second=second, n_text=6)


def concepts_found():
    """What was found in a picture of 2 by 4 patches: two visual concepts, one of them (A) in its left half."""
    from fixlip.concepts import Bank, Classes, ImageConcepts, VisualConcept
    from fixlip.concepts.patches import ellipse_around

    regions = {0: [0, 4], 2: [7]}
    words = {0: (0, 1), 2: (2, 0)}
    concepts = []
    for part, patches in regions.items():
        region = np.isin(np.arange(8), patches)
        ellipse = ellipse_around(region.reshape(2, 4))
        concepts.append(VisualConcept(part, region, ellipse, words[part], (0.3, 0.2)))
    return ImageConcepts(
        concepts=tuple(concepts),
        visual=(0, 1, 2),
        importance=(0.3, 0.2, 0.1),
        language=(0, 2, 4),
        logits=np.array([20.0, 10.0]),
        target=0,
        bank=Bank(("owl", "frog", "tree", "cat", "hat", "bus")),
        classes=Classes(("forest", "winter")),
        grid=(2, 4),
        shown=np.full((50, 100, 3), 200, np.uint8),
    )
