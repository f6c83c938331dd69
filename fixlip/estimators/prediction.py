"""What the model would say of masks that it was not asked about: values with standard errors, from both surrogates.

A value is scale * <f(image mask), g(text mask)> + bias. Both embeddings are predicted by the posterior means of their
Gaussian processes, which hold interactions of every order; an explanation of second order is what is left of them, and
predicts less well. It says why; this says what.

The two sides' errors are independent, so the variance of <f, g> for f of variance v_f C_f and g of v_g C_g is

    v_f g^T C_f g + v_g f^T C_g f + v_f v_g tr(C_f C_g).

The v are the process's own (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, Equation 2.42 for
the unknown mean), noise included: what is asked for is the model's answer. The C are the covariances of left-out
samples, which is what calibrates them: without sample m the process expects the variance v_m C of it, and misses it by
e_m, so that C is an average of e_m e_m^T / v_m. Nearly empty inputs are harder to predict than
nearly complete ones, so samples count by how near their share of present players is to that of the mask asked about.
"""

from __future__ import annotations

import numpy as np

from ..answers import Side
from ..masks import BoolArray, FloatArray
from .kernel import KernelSurrogate
from .readout import Readout
from .surrogate import Surrogate, to_numpy

# So many masks at a time: the kernel between them and 12,288 samples takes 200 MB.
_AT_ONCE = 2048
# How near two shares of present players are, as the standard deviation of a normal density.
_NEAR = 0.1
# From few samples errors of those left out are too small, since the relevances were fitted to them, too: variances by
# a factor of 1 + (32 / m)^2. Measured on the embedded models at 32, 64, 128 and 256 masked images.
_FEW = 32


def predict(readout: Readout, masks: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Predicted values of masks (m, n), image players first, and their standard errors: logits of shape (m,) each.

    An image mask or text mask that was asked about is known, and adds no error.
    """
    answers = readout.answers
    n_image, scale, bias = answers.subject.n_image, answers.scale, answers.bias
    image, text = (Predictor(*one) for one in zip(readout.sides, (readout.image, readout.text), strict=True))
    together = (image.errors @ text.errors.T) ** 2
    values, stderr = np.empty(len(masks)), np.empty(len(masks))
    for start in range(0, len(masks), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        f, v_f, w_f = image(masks[some, :n_image])
        g, v_g, w_g = text(masks[some, n_image:])
        values[some] = scale * np.sum(f * g, axis=1) + bias
        both = np.sum((w_f @ together) * w_g, axis=1)  # tr(C_f C_g)
        variance = v_f * image.spread(g, w_f) + v_g * text.spread(f, w_g) + v_f * v_g * both
        stderr[some] = abs(scale) * np.sqrt(variance)
    return values, stderr


class Predictor:
    """One side's embeddings of any masks.

    Args:
        side: what was asked.
        surrogate: fitted to it.

    Attributes:
        errors: (m, d), errors of left-out samples in units of what the process expects, e_m / sqrt(v_m), and a little
            more where there are few; zero where all masks were asked about.
    """

    def __init__(self, side: Side, surrogate: Surrogate) -> None:
        self._side, self._surrogate = side, surrogate
        self._known = {row.tobytes(): k for k, row in enumerate(side.masks)}
        self.errors: FloatArray = np.zeros((1, side.embeddings.shape[1]))
        self._shares: FloatArray = np.zeros(1)
        if isinstance(surrogate, KernelSurrogate):
            few = np.sqrt(1 + (_FEW / len(side.masks)) ** 2)
            self.errors = few * to_numpy(surrogate.left_out / surrogate.expected.sqrt()[:, None])
            self._shares = side.masks.mean(axis=1)

    def __call__(self, masks: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of masks (k, n): embeddings (k, d), variances (k,) in units of C, and the weights (k, m) of errors in C."""
        at = np.array([self._known.get(row.tobytes(), -1) for row in masks], np.intp)
        embeddings, variances, new = self._side.embeddings[at].astype(np.float64), np.zeros(len(masks)), at < 0
        if new.any():
            assert isinstance(self._surrogate, KernelSurrogate)  # a table knows all masks
            embeddings[new] = self._surrogate.predict(masks[new])
            variances[new] = self._surrogate.predicted_variances(masks[new])
        apart = (masks.mean(axis=1)[:, None] - self._shares) / _NEAR
        # Relative to the nearest, so that far from all samples nothing vanishes.
        weights = np.exp(((apart**2).min(axis=1, keepdims=True) - apart**2) / 2)
        return embeddings, variances, weights / weights.sum(axis=1, keepdims=True)

    def spread(self, directions: FloatArray, weights: FloatArray) -> FloatArray:
        """u^T C u for directions u of the embedding space, (k, d), each with weights (k, m): shape (k,)."""
        return np.asarray(np.sum(weights * (directions @ self.errors.T) ** 2, axis=1))
