"""Visual concepts: which patches stand out, and which of them belong together (Sammani and Deligiannis, Section 3).

Everything here is done with arrays of patch features: those of all images of a group are stacked, so that a part has
the same number in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, ndimage

from ..encoders.huggingface import Encoder
from ..encoders.towers import image_tower
from ..extras import need
from ..masks import BoolArray, FloatArray, IntArray

BACKGROUND = -1
SECOND_LARGEST = 5  # patches that a second component must have to be kept
_ITERATIONS, _STARTS = 500, 10
# Patches that differ by less than this share of their size are all alike: what is left is rounding.
_ALIKE = 1e-5


@torch.no_grad()
def patch_features(encoder: Encoder, pixels: torch.Tensor, features: str = "tokens") -> tuple[FloatArray, FloatArray]:
    """What the image encoder makes of each patch, and of the whole picture, in one forward pass.

    Args:
        encoder: a CLIP or SigLIP.
        pixels: (3, height, width), prepared by `encoder.prepare_image`.
        features: "tokens", what the last block returns, before the last normalisation; or "keys" of the last block's
            attention, without their bias, as the published code takes them.

    Returns:
        features (n_image, C) without CLIP's class token, and the image's embedding (d,) of length one.
    """
    tower = image_tower(encoder, pixels)
    run = tower.run(tower.states_before(0))
    if features == "tokens":
        found = run.states[-1]
    else:
        last = encoder.model.vision_model.encoder.layers[-1].self_attn
        found = run.attentions[-1].key - last.k_proj.bias
    return _doubles(found[0, tower.players]), _doubles(run.embedding[0])


def _doubles(tensor: torch.Tensor) -> FloatArray:
    return np.asarray(tensor.float().cpu().numpy(), np.float64)


def components(features: FloatArray, method: str = "svd", count: int = 3, scaled: bool = False) -> FloatArray:
    """Components of patch features, so oriented that few patches are positive.

    Args:
        features: (m, C), patches of all images of a group.
        method: "svd" (left singular vectors of features of length one: eigenvectors of their affinity, whose second is
            the published one), or "pca" (whose first is).
        count: how many, at most as many as there can be.
        scaled: bring each to [0, 1]; else 0 parts the signs.

    Returns:
        (m, at most count).
    """
    if method == "pca":
        found = _pca(features, count)
    else:
        unit = _unit(features)
        found = linalg.svd(unit, full_matrices=False)[0][:, :count]
        # A singular vector has no sign of its own: the largest entry is made positive, so that ties do not depend on
        # the machine.
        found = found * np.where(found[np.abs(found).argmax(0), np.arange(found.shape[1])] < 0, -1.0, 1.0)
    positive = (found > 0).mean(0)
    found = np.where((positive > 0.5) & (positive < 1), -found, found)
    return _scaled(found) if scaled else found


def prominent_patches(
    features: FloatArray,
    grid: tuple[int, int],
    method: str = "svd",
    threshold: float | None = None,
    together: bool = False,
) -> BoolArray:
    """The patches that stand out in each image of a group.

    Args:
        features: (images, n_image, C).
        grid: (rows, columns).
        method: "svd", the second singular vector, or "pca", the first principal component.
        threshold: of the component scaled to [0, 1]; None for the sign of the component as it is.
        together: one component for all images stacked, as the published code has it, and not one for each image, as the
            paper says. Where images differ more than their patches do, it tells images apart.

    Returns:
        (images, n_image): of the patches above the threshold, the largest 8-connected component of an image, and the
        second largest where it has five patches or more. None where patches are all alike.
    """
    images, n, width = features.shape
    stacks = [features.reshape(-1, width)] if together else list(features)
    above = np.concatenate([_above(stack, method, threshold) for stack in stacks]).reshape(images, n)
    return np.stack([largest_components(one.reshape(grid)).ravel() for one in above])


def _above(stacked: FloatArray, method: str, threshold: float | None) -> BoolArray:
    """(m,), which patches are above the threshold."""
    if _all_alike(stacked):
        return np.zeros(len(stacked), bool)
    found = components(stacked, method, scaled=threshold is not None)
    one = found[:, min(int(method == "svd"), found.shape[1] - 1)]
    # As in the published code a value of zero is never prominent, and one on the threshold is.
    return np.asarray((one >= (threshold or 0.0)) & (one != 0))


def largest_components(mask: BoolArray, second: int = SECOND_LARGEST) -> BoolArray:
    """The largest 8-connected component of a mask (rows, columns), and the second if it has so many patches."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if not count:
        return np.zeros(mask.shape, bool)
    sizes = np.bincount(labels.ravel())[1:]
    order = np.argsort(-sizes, kind="stable")
    kept = [order[0], *(k for k in order[1:2] if sizes[k] >= second)]
    return np.asarray(np.isin(labels, np.array(kept) + 1))


def parts_of(
    features: FloatArray, prominent: BoolArray, count: int, method: str = "pca", seed: int = 0
) -> NDArray[np.intp]:
    """The part that each prominent patch belongs to, the same number in all images of a group.

    Args:
        features: (images, n_image, C).
        prominent: (images, n_image).
        count: how many parts there are at most.
        method: "pca" (the principal component, scaled to [0, 1], in which a patch is highest), or "kmeans" (of features
            of length one).
        seed: of K-means.

    Returns:
        (images, n_image): 0 to count - 1, or BACKGROUND.
    """
    parts = np.full(prominent.shape, BACKGROUND)
    inside = features[prominent]
    if len(inside):
        parts[prominent] = part_components(inside, count).argmax(1) if method == "pca" else _kmeans(inside, count, seed)
    return parts


def part_components(features: FloatArray, count: int) -> FloatArray:
    """Principal components (m, at most count) of features (m, C), each scaled to [0, 1]."""
    return _scaled(_pca(features, count))


def _kmeans(features: FloatArray, count: int, seed: int) -> IntArray:
    cluster = need("sklearn.cluster", 'parts "kmeans"', "scikit-learn")
    unit = _unit(features)
    # Fewer different patches than clusters cannot be parted into so many.
    different = len(np.unique(unit.round(9), axis=0))
    fit = cluster.KMeans(min(count, different), n_init=_STARTS, max_iter=_ITERATIONS, random_state=seed)
    return np.asarray(fit.fit_predict(unit), np.intp)


def _pca(features: FloatArray, count: int) -> FloatArray:
    decomposition = need("sklearn.decomposition", "principal components", "scikit-learn")
    if len(features) == 1:  # its distance to the mean of one
        return np.zeros((1, 1))
    fit = decomposition.PCA(min(count, *features.shape), svd_solver="full")
    return np.asarray(fit.fit_transform(features), np.float64)


def _scaled(columns: FloatArray) -> FloatArray:
    """Each column brought to [0, 1]; a column without a range becomes 0."""
    low, reach = columns.min(0), np.ptp(columns, axis=0)
    return np.asarray((columns - low) / np.where(reach > 0, reach, 1.0))


def _unit(features: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1.0))


def _all_alike(stacked: FloatArray) -> bool:
    return bool(np.ptp(stacked, axis=0).max() <= _ALIKE * max(np.abs(stacked).max(), 1e-30))


@dataclass(frozen=True, eq=False)
class Ellipse:
    """An ellipse around a region, in shares of the picture's width and height, so that it fits every resolution.

    Attributes:
        centre: (x, y), 0 to 1 from left and from top.
        axes: (2, 2), the two half axes as vectors (x, y).
    """

    centre: FloatArray
    axes: FloatArray

    def outline(self, width: int, height: int, points: int = 72) -> list[tuple[float, float]]:
        """Points (x, y) in pixels of a picture of this size."""
        turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
        around = self.centre + np.stack([np.cos(turn), np.sin(turn)], axis=1) @ self.axes
        return [(float(x) * width, float(y) * height) for x, y in around]


def ellipse_around(patches: BoolArray) -> Ellipse:
    """The ellipse with the second moments of the largest 8-connected component of patches (rows, columns).

    A filled ellipse has the same moments as the ellipse that is returned; the published code fits one to the contour.

    Raises:
        ValueError: if there is no patch.
    """
    region = largest_components(np.asarray(patches, bool), second=patches.size + 1)
    if not region.any():
        raise ValueError("patches: wanted at least one.")
    at = np.argwhere(region)[:, ::-1] + 0.5
    # A patch is a square, not a point: of side one it has variance 1/12 each way.
    moments = np.cov(at.T, bias=True) + np.eye(2) / 12
    values, vectors = linalg.eigh(moments)
    rows, columns = patches.shape
    side = np.array([columns, rows])
    return Ellipse(at.mean(0) / side, (2 * np.sqrt(values) * vectors).T / side)
