"""Checking an encoder: what a new adapter gets wrong, a sentence each, found by asking it about two small inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..masks import BoolArray, FloatArray
from .images import ImageSource
from .masking import grid_regions
from .protocol import AnyEncoder, missing_parts

# Rounding of one precision or the other; what is wrong differs by much more.
_EXACT, _COARSE = 1e-4, 3e-2
# A change smaller than this may be rounding: what it was made in counts as not seen.
_SEEN = 1e-6
_TEXTS = (
    "a cat next to a banana",
    "a dog next to a banana",
    "a cat",
    "a dog",
    "the red car",
    "a banana next to a cat",
)


@dataclass(frozen=True)
class EncoderReport:
    """What `check_encoder` found.

    Attributes:
        name: of the encoder.
        problems: what is wrong, a sentence each.
        passed: what is right.
        skipped: what could not be checked, and why.
    """

    name: str
    problems: tuple[str, ...]
    passed: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not self.problems

    def __repr__(self) -> str:
        verdict = "all is well" if self.ok else f"{len(self.problems)} of the checks failed"
        parts = (("wrong", self.problems), ("right", self.passed), ("not checked", self.skipped))
        told = [f"  {kind}: {sentence}" for kind, sentences in parts for sentence in sentences]
        return "\n".join([f"{self.name}: {verdict}.", *told])


def check_encoder(
    encoder: AnyEncoder, images: Sequence[ImageSource] | None = None, texts: Sequence[str] | None = None
) -> EncoderReport:
    """Say what an encoder of one's own gets wrong, in some hundred encodings.

    Checked are the parts that a game asks for; shapes; that embeddings are finite, of length one, the same when asked
    again and whatever else is in the batch; that masks hide what they should: nothing is left of two inputs when all
    players are absent, and a patch's mask hides its own pixels and no others; that patches and the same patches as a
    label map agree; and, where the encoder has `similarity(image, text)`, that scale, bias and whole inputs give it.

    Args:
        encoder: see `fixlip.encoders.protocol`.
        images: two pictures of one size; by default noise.
        texts: captions, of which two of equal length are compared; by default a few short English ones.

    Returns:
        the report: `report.ok`, `report.problems`; it prints as a list of sentences. Nothing is raised for what is
        wrong with the encoder.
    """
    name = str(getattr(encoder, "name", type(encoder).__name__))
    if missing := missing_parts(encoder):
        return EncoderReport(name, (f"it has no {', '.join(missing)}; see fixlip.encoders.protocol.",), (), ())
    check = _Check(encoder, images or _noise(), texts or _TEXTS)
    for step in (check.numbers, check.inputs, check.shapes, check.repeats, check.emptiness, check.patches, check.whole):
        before = len(check.problems)
        try:
            step()
        except Exception as error:  # whatever someone's code raises is what they want to read
            said = str(error).strip().split("\n")[0][:200]
            check.problems.append(f"{check.doing} raised {type(error).__name__}: {said}")
        if len(check.problems) > before and step in (check.inputs, check.shapes):
            check.skipped.append("the rest, which needs what is wrong above.")
            break
    return EncoderReport(name, tuple(check.problems), tuple(check.passed), tuple(check.skipped))


def _noise() -> list[ImageSource]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(2)]


@dataclass
class _Check:
    """One run of the checks; each appends a sentence to one of three lists."""

    encoder: Any
    images: Sequence[ImageSource]
    texts: Sequence[str]
    problems: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    doing: str = ""

    def tell(self, right: bool, passed: str, problem: str) -> None:
        (self.passed if right else self.problems).append(passed if right else problem)

    @property
    def tolerance(self) -> float:
        precision = getattr(self.encoder, "precision", getattr(self.encoder, "dtype", ""))
        return _COARSE if "16" in str(precision) else _EXACT

    # ---- asking

    def embed_image(self, pixels: Any, masks: BoolArray, **options: Any) -> FloatArray:
        self.doing = "embed_images"
        return _rows(self.encoder.embed_images(pixels, masks, **options))

    def embed_text(self, caption: Any, masks: BoolArray) -> FloatArray:
        self.doing = "embed_texts"
        return _rows(self.encoder.embed_texts(caption, masks))

    def sides(self) -> Iterator[tuple[str, Callable[[BoolArray], FloatArray], int]]:
        """Either side's name, how to embed its first input, and its number of players."""
        yield "image", lambda masks: self.embed_image(self.pixels[0], masks), self.n_image
        yield "text", lambda masks: self.embed_text(self.captions[0], masks), len(self.captions[0].labels)

    # ---- checks, in their order

    def numbers(self) -> None:
        self.doing = "scale or bias"
        scale, bias = float(self.encoder.scale), float(self.encoder.bias)
        right = bool(np.isfinite([scale, bias]).all() and scale > 0)
        wanted = f"scale and bias are {scale:g} and {bias:g}, wanted finite numbers, the first above 0."
        self.tell(right, "scale and bias are numbers.", wanted)

    def inputs(self) -> None:
        self.doing = "prepare_image"
        prepared = [self.encoder.prepare_image(image) for image in self.images[:2]]
        self.pixels, views = [pixels for pixels, _ in prepared], [view for _, view in prepared]
        shown = all(isinstance(v, np.ndarray) and v.dtype == np.uint8 and v.shape[2:] == (3,) for v in views)
        self.tell(shown, "pictures can be shown.", "prepare_image: the view is no uint8 array (height, width, 3).")
        self.doing = "grid_of"
        rows, columns = self.encoder.grid_of(self.pixels[0])
        self.grid = int(rows), int(columns)
        self.n_image = self.grid[0] * self.grid[1]
        self.tell(self.n_image > 0, "pictures have a grid of players.", f"grid_of: {self.grid} is no grid of players.")
        self.doing = "prepare_text"
        self.captions = [self.encoder.prepare_text(text) for text in self.texts]
        named = all(len(c.labels) and all(isinstance(label, str) for label in c.labels) for c in self.captions)
        told = all(isinstance(c.text, str) for c in self.captions)
        self.tell(named and told, "captions have text and labels.", "prepare_text: wanted text and labels, strings.")

    def shapes(self) -> None:
        widths = set()
        for side, embed, n in self.sides():
            masks = _some_masks(n)
            found = embed(masks)
            if found.ndim != 2 or len(found) != len(masks):
                self.problems.append(
                    f"embed_{side}s: {len(masks)} masks gave shape {found.shape}, wanted ({len(masks)}, d)."
                )
                continue
            widths.add(found.shape[1])
            lengths = np.linalg.norm(found, axis=1)
            if not np.isfinite(found).all():
                self.problems.append(f"embed_{side}s: some embeddings are not finite.")
            elif abs(lengths - 1).max() > _EXACT * 10:
                span = f"from {lengths.min():.6g} to {lengths.max():.6g}"
                told = f"embed_{side}s: embeddings have lengths {span}, wanted 1 to within {_EXACT * 10:g}"
                self.problems.append(f"{told}; divide every row by its length.")
            else:
                self.passed.append(f"embed_{side}s: finite rows of length one, a row a mask.")
        if len(widths) > 1:
            self.problems.append(f"images and texts have embeddings of different widths, {sorted(widths)}.")

    def repeats(self) -> None:
        for side, embed, n in self.sides():
            masks = _some_masks(n)
            found = embed(masks)
            again = _apart(found, embed(masks))
            what = f"embed_{side}s: asked again, embeddings differ by {again:.2g}; is dropout switched off (eval)?"
            self.tell(again <= self.tolerance, f"embed_{side}s: asked again, it says the same.", what)
            alone = _apart(found, np.concatenate([embed(mask[None]) for mask in masks[::-1]])[::-1])
            what = f"embed_{side}s: a mask's embedding changes by {alone:.2g} with the others of its batch."
            self.tell(alone <= self.tolerance, f"embed_{side}s: batches do not matter, nor their order.", what)
            matters = min(_apart(found[:1], found[k : k + 1]) for k in (1, 2))
            what = f"embed_{side}s: masks change nothing."
            self.tell(matters > _SEEN, f"embed_{side}s: masks matter.", what)

    def emptiness(self) -> None:
        """Of two inputs nothing may be left that tells them apart when all players are absent."""
        how = getattr(self.encoder, "image_masking", "")
        same = len(self.pixels) > 1 and tuple(self.encoder.grid_of(self.pixels[1])) == self.grid
        if how in ("mean", "blur"):
            self.skipped.append(f'that an empty picture is empty: "{how}" keeps colours.')
        elif not same:
            self.skipped.append("that an empty picture is empty: wanted two pictures of one grid.")
        else:
            nothing = np.zeros((1, self.n_image), bool)
            left = _apart(self.embed_image(self.pixels[0], nothing), self.embed_image(self.pixels[1], nothing))
            what = f"embed_images: without any player two pictures still differ by {left:.2g}."
            self.tell(left <= self.tolerance, "embed_images: an empty picture is empty.", what)
        pair = _equally_long(self.captions)
        if pair is None:
            self.skipped.append("that an empty caption is empty: wanted two captions with as many tokens.")
            return
        nothing = np.zeros((1, len(pair[0].labels)), bool)
        left = _apart(*(self.embed_text(caption, nothing) for caption in pair))
        what = f"embed_texts: without any player {pair[0].text!r} and {pair[1].text!r} still differ by {left:.2g}."
        self.tell(left <= self.tolerance, "embed_texts: an empty caption is empty.", what)

    def patches(self) -> None:
        """What a patch shows may matter where the patch is present, and nowhere else."""
        if getattr(self.encoder, "image_masking", "") in ("mean", "blur"):
            self.skipped.append("that masks hide their own patch: the baseline is made of the whole picture.")
        elif len(np.shape(self.pixels[0])) != 3:
            self.skipped.append("that masks hide their own patch: prepared pictures are no (channels, height, width).")
        else:
            self._own_patches()
        if "regions" not in inspect.signature(self.encoder.embed_images).parameters:
            self.skipped.append("regions: embed_images takes none, so that its image players are patches only.")
        else:
            self._label_map()

    def _regions(self) -> NDArray[np.intp]:
        shape = np.shape(self.pixels[0])
        masker = getattr(self.encoder, "masker", None)
        if masker is not None:
            return np.asarray(masker(self.pixels[0]).regions(self.pixels[0]))
        return grid_regions((shape[1], shape[2]), self.grid)

    def _own_patches(self) -> None:
        pixels, regions = self.pixels[0], self._regions()
        wrong = []
        for patch in sorted({0, self.grid[1] - 1, self.n_image // 2, self.n_image - 1}):
            changed = _with_noise(pixels, regions == patch)
            masks = np.ones((2, self.n_image), bool)
            masks[1, patch] = False
            shown, hidden = (
                _apart(*(self.embed_image(picture, mask[None]) for picture in (pixels, changed))) for mask in masks
            )
            if hidden > _SEEN or shown <= _SEEN:
                wrong.append(f"{patch} ({'still seen when hidden' if hidden > _SEEN else 'not seen at all'})")
        what = f"embed_images: masks do not hide the pixels of their patch, row by row: patch {', '.join(wrong)}."
        self.tell(not wrong, "embed_images: a mask hides the pixels of its patch.", what)

    def _label_map(self) -> None:
        masks = _some_masks(self.n_image)
        given, own = (
            self.embed_image(self.pixels[0], masks, **options) for options in ({"regions": self._regions()}, {})
        )
        apart = _apart(given, own)
        what = f"embed_images: patches given as a label map differ from patches by {apart:.2g}."
        self.tell(apart <= _SEEN, "embed_images: a label map of patches gives what patches give.", what)

    def whole(self) -> None:
        """The whole pair must have the similarity that the model itself gives."""
        own = getattr(self.encoder, "similarity", None)
        if own is None:
            self.skipped.append("scale and bias: the encoder has no similarity(image, text) of the model's own.")
            return
        ones = np.ones((1, self.n_image), bool), np.ones((1, len(self.captions[0].labels)), bool)
        image, text = self.embed_image(self.pixels[0], ones[0])[0], self.embed_text(self.captions[0], ones[1])[0]
        value = float(self.encoder.scale) * float(image @ text) + float(self.encoder.bias)
        self.doing = "similarity"
        wanted = float(own(self.images[0], self.texts[0]))
        allowed = self.tolerance * max(1.0, float(self.encoder.scale))
        what = f"the whole pair has the value {value:.4f}, but the model's own similarity is {wanted:.4f}."
        self.tell(abs(value - wanted) <= allowed, "the whole pair has the model's own similarity.", what)


def _rows(batches: Any) -> FloatArray:
    return np.concatenate([np.asarray(batch, dtype=np.float64) for batch in batches])


def _some_masks(n: int) -> BoolArray:
    """All players, none, all but the first half, and two drawn by lot."""
    masks = np.random.default_rng(0).random((5, n)) < 0.5
    masks[0], masks[1], masks[2] = True, False, np.arange(n) >= (n + 1) // 2
    return masks


def _apart(one: FloatArray, other: FloatArray) -> float:
    return float(np.abs(one - other).max())


def _equally_long(captions: Sequence[Any]) -> tuple[Any, Any] | None:
    for k, one in enumerate(captions):
        for other in captions[:k]:
            if len(one.labels) == len(other.labels) and one.text != other.text:
                return other, one
    return None


def _with_noise(pixels: Any, where: BoolArray) -> Any:
    """A prepared picture with something else in some of its pixels."""
    rng = np.random.default_rng(0)
    if hasattr(pixels, "clone"):
        changed = pixels.clone()
        noise = rng.normal(0, 2, (int(pixels.shape[0]), int(where.sum())))
        changed[:, where] = changed.new_tensor(noise)
        return changed
    changed = np.array(pixels)
    changed[:, where] = rng.normal(0, 2, (len(changed), int(where.sum())))
    return changed
