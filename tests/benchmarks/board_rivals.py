"""The leaderboard's estimators: what each is asked with, and how it is given its best fair chance.

Cross-modal estimators answer for a masked image together with every masked caption; model-agnostic ones get one value
of a coalition for an encoding of its image. At p the image masks of our own model-agnostic estimators are those of the
cross-modal ones, each with one caption drawn at p, which is what a drawn coalition is.

What was done for those of shapiq (1.6 or newer), tried on one scene of emoji-clip before the leaderboard:

- Coalitions are drawn with the sizes that p = 1/2 gives them, in pairs of complements: better than uniform over sizes,
  the default of ProxySHAP, and than no pairs, the default of ProxySPEX. For Shapley indices each keeps its own sizes,
  but for the regression, which is better with sizes drawn uniformly. (With those, ProxySPEX has better values and worse
  interactions.) The regressions get no pairs, which would leave them half as many equations for the interactions.
- ProxySHAP's trees are those of FIxLIP's own code (2,000 of depth 3, learning rate 0.05), better than its default;
  ProxySPEX's are what its search over eight settings chose, which takes 48 seconds where the fit takes one.
- shapiq sets the empty interaction to the value of the empty coalition. Banzhaf interactions want another constant; it
  is fitted to the coalitions at hand.
- With its correction ProxySHAP leaves Banzhaf and faithful Shapley attributions uncorrected. Here they come from
  a second, corrected fit of Banzhaf or Shapley values to the same coalitions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata

import numpy as np

import fixlip
from fixlip.answers import Side
from fixlip.api import SHAPLEY_MIXTURE
from fixlip.estimators import agnostic
from fixlip.estimators.basis import n_columns
from fixlip.estimators.tree_proxy import tree_proxy
from fixlip.subject import Subject


def _shapiq() -> str:
    """The version of shapiq, if it is new enough and has its trees; empty otherwise. Asked without importing it."""
    try:
        version = [metadata.version(name) for name in ("shapiq", "xgboost", "lightgbm")][0]
    except metadata.PackageNotFoundError:
        return ""
    return version if tuple(int(part) for part in version.split(".")[:2]) >= (1, 6) else ""


SHAPIQ = _shapiq()
# More captions of the same images take as much longer and teach trees little: with all 128 instead of 32, R squared
# from 256 images was 0.811 instead of 0.797 with the correction, 0.791 and 0.786 without, and 0.809 and 0.811 with
# FIxLIP's trees (one scene of emoji-clip). FIxLIP's own example has 2^5, too.
CAPTIONS_OF_TREES = 32
# The empty and the full mask, which come first among samples, and were not drawn.
ENDS = 2


class Asked:
    """One game at one p (or for Shapley indices, where p is None): the answers that estimators share."""

    def __init__(self, game: fixlip.Game, p: float | None, seed: int, most: int) -> None:
        self.game, self.p, self.seed, self.most = game, p, seed, most
        self.subject = Subject.of(game)
        self.index = "shapley" if p is None else "banzhaf"
        self.at = 0.5 if p is None else p
        self.inside, self.drawn = 0.0, {}

    def __call__(self, coalitions) -> np.ndarray:
        """Values, as shapiq asks for them; the time in here is the encoders'."""
        start = time.process_time()
        masks = np.asarray(coalitions).astype(bool)
        values = self.game(masks)
        self.inside += time.process_time() - start
        self.last = masks, values
        return values

    @cached_property
    def own(self) -> fixlip.Samples:
        """Masks at p, or at many p."""
        ps, most = (SHAPLEY_MIXTURE, min(512, self.most)) if self.p is None else (self.p, self.most + ENDS)
        return fixlip.sample(self.game, most, p=ps, seed=self.seed, progress=False)

    @cached_property
    def mixed(self) -> fixlip.Samples:
        """Masks of the default mixture of p."""
        return fixlip.sample(self.game, 512, seed=self.seed, progress=False)

    def few_captions(self, budget: int) -> fixlip.Samples:
        """The first images with some captions only, drawn as often as p has them."""
        samples, rng = self.own.first(budget), np.random.default_rng(self.seed)
        side = samples.text_side
        rows = rng.choice(len(side.masks), CAPTIONS_OF_TREES, p=side.weights_at(self.at))
        rows, counts = np.unique(rows, return_counts=True)
        text = Side(side.masks[rows], counts / counts.sum(), side.embeddings[rows], (self.at,))
        return replace(samples, text_side=text)

    def coalitions(self, budget: int):
        """Masks, weights and values of drawn coalitions."""
        n_image, rng = self.game.n_image, np.random.default_rng(self.seed)
        if self.p is None:
            masks, weights = agnostic.draw_shapley(self.subject.n_players, budget, rng)
        else:
            images = self.own.image_side.masks[ENDS : budget + ENDS]
            masks = np.hstack([images, rng.random((self.most, self.game.n_text))[: len(images)] < self.p])
            weights = np.full(len(masks), 1 / len(masks))
        self.drawn["masks"] = masks[:, n_image:]
        return masks, weights, self(masks)


# ---- ours


def kernel(asked: Asked, budget: int) -> fixlip.Explanation:
    return asked.own.first(budget).explain(asked.at, asked.index)


def kernel_mixture(asked: Asked, budget: int) -> fixlip.Explanation:
    return asked.mixed.first(budget).explain(asked.at, asked.index)


def crossmodal(asked: Asked, budget: int, basis: str = "full") -> fixlip.Explanation:
    return asked.own.first(budget).explain(asked.at, estimator="crossmodal", basis=basis)


def trees(asked: Asked, budget: int, correct: bool = True) -> fixlip.Explanation:
    return tree_proxy(asked.few_captions(budget), asked.at, correct)


def least_squares(asked: Asked, budget: int, basis: str = "full") -> fixlip.Explanation:
    return _fit(asked, asked.coalitions(budget), agnostic.choose_pairs(asked.game, basis))


def filtered(asked: Asked, budget: int) -> fixlip.Explanation:
    """Pairs among the players with the largest values only: so many that two coalitions determine one coefficient."""
    drawn, n = asked.coalitions(budget), asked.subject.n_players
    none = np.zeros(0, dtype=np.intp)
    count = max(k for k in range(2, n + 1) if n_columns(k, 2) + n - k <= max(budget // 2, n + 2))
    first = _fit(asked, drawn, (none, none))
    players = agnostic.strongest_players(first, min(count, agnostic.FILTERED_PLAYERS))
    return _fit(asked, drawn, agnostic.choose_pairs(asked.game, players))


def _fit(asked: Asked, drawn, pairs) -> fixlip.Explanation:
    if len(drawn[0]) < 1 + asked.subject.n_players + len(pairs[0]):
        raise ValueError("budget: fewer coalitions than coefficients.")
    ends = asked.own.empty_value, asked.own.full_value
    return agnostic.fit(*drawn, asked.subject, ends, asked.at, asked.index, pairs)


# ---- shapiq's


def _approximated(asked: Asked, budget: int, name: str, index: str, order: int, **how):
    """Attributions and interactions of one of shapiq's approximators."""
    import shapiq

    n = asked.subject.n_players
    if asked.p is not None:
        how["sampling_weights"] = np.array([float(math.comb(n, k)) for k in range(n + 1)])
    elif name == "RegressionFSII":
        how["sampling_weights"] = np.ones(n + 1)
    how |= {} if name.startswith("RegressionF") else {"index": index}
    how |= {} if name == "RegressionMSR" else {"max_order": order}
    paired = not name.startswith("RegressionF")
    found = getattr(shapiq.approximator, name)(n=n, pairing_trick=paired, random_state=asked.seed, **how)
    told = found.approximate(budget, asked)
    first, second = np.zeros(n), np.zeros((n, n))
    for key, at in told.interaction_lookup.items():
        if len(key) == 1:
            first[key[0]] = told.values[at]
        elif len(key) == 2:
            second[key], second[key[::-1]] = told.values[at], told.values[at]
    return first, second


def _told(asked: Asked, first: np.ndarray, second: np.ndarray, order: int = 2) -> fixlip.Explanation:
    """An explanation of attributions and interactions; its constant is fitted to the coalitions last asked about."""
    masks, values = asked.last
    asked.drawn["masks"] = masks[:, asked.game.n_image :]
    how = {"p": asked.at, "index": asked.index, "order": order}
    found = fixlip.Explanation(0.0, first, second, asked.subject, **how)
    ends = np.isin(masks.sum(1), (0, masks.shape[1]))
    constant = asked.own.empty_value if asked.p is None else np.mean((values - found.predict(masks))[~ends])
    return replace(found, constant=float(constant))


def _boosted():
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=2000, learning_rate=0.05, max_depth=3, reg_lambda=5, n_jobs=1)


def _searched():
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=1000, max_depth=3, learning_rate=0.1, verbose=-1, n_jobs=1)


def _indices(asked: Asked) -> tuple[str, str]:
    return ("FSII", "SV") if asked.p is None else ("FBII", "BV")


def proxyshap(asked: Asked, budget: int) -> fixlip.Explanation:
    pairs, _ = _indices(asked)
    return _told(asked, *_approximated(asked, budget, "ProxySHAP", pairs, 2, proxy_model=_boosted()))


def proxyshap_corrected(asked: Asked, budget: int) -> fixlip.Explanation:
    pairs, values = _indices(asked)
    how = {"proxy_model": _boosted(), "adjustment": True}
    single, _ = _approximated(asked, budget, "ProxySHAP", values, 1, **how)
    _, second = _approximated(asked, budget, "ProxySHAP", pairs, 2, **how)
    return _told(asked, single - second.sum(1) / 2, second)


def proxyspex(asked: Asked, budget: int) -> fixlip.Explanation:
    pairs, _ = _indices(asked)
    return _told(asked, *_approximated(asked, budget, "ProxySPEX", pairs, 2, proxy_model=_searched()))


def regression(asked: Asked, budget: int) -> fixlip.Explanation:
    pairs, n = _indices(asked)[0], asked.subject.n_players
    if budget < n_columns(n, 2):
        raise ValueError("budget: fewer coalitions than coefficients.")
    return _told(asked, *_approximated(asked, budget, f"Regression{pairs}", pairs, 2))


def regression_msr(asked: Asked, budget: int) -> fixlip.Explanation:
    return _told(asked, *_approximated(asked, budget, "RegressionMSR", _indices(asked)[1], 1), order=1)


def published_trees(asked: Asked, budget: int) -> fixlip.Explanation:
    """ProxySHAP inside FIxLIP's own code: trees fitted to all pairs of masked images and captions, not corrected."""
    from shapiq.tree.interventional.computer import InterventionalTreeSHAPIQ

    samples = asked.few_captions(budget)
    images, captions, n = samples.image_side.masks, samples.text_side.masks, asked.subject.n_players
    masks = np.hstack([np.repeat(images, len(captions), 0), np.tile(captions, (len(images), 1))])
    weights = np.outer(np.full(len(images), 1.0), samples.text_side.weights).ravel()
    values = samples.values().ravel()
    fitted = _boosted().fit(masks.astype(np.float32), values, sample_weight=weights / weights.mean())
    read = InterventionalTreeSHAPIQ(fitted, data=np.zeros((1, n)), index="FBII", max_order=2)
    first, second = np.zeros(n), np.zeros((n, n))
    for key, value in read.explain_function(np.ones((1, n))).interactions.items():
        if len(key) == 1:
            first[key[0]] = value
        elif len(key) == 2:
            second[key], second[key[::-1]] = value, value
    found = fixlip.Explanation(0.0, first, second, asked.subject)
    return replace(found, constant=float(np.average(values - found.predict(masks), weights=weights)))


# ---- the table of them


@dataclass(frozen=True)
class Rival:
    """An estimator: how it is called, and with how many encoded images.

    Attributes:
        make: of what is asked and a budget, an explanation.
        budgets: at p.
        shapley: for Shapley indices; none where it cannot.
        agnostic: one caption an image, that of the coalition.
        captions: masked captions beside any number of images; None for all there are.
        theirs: needs shapiq.
        half: it can do p = 1/2 only.
    """

    make: Callable[[Asked, int], fixlip.Explanation]
    budgets: tuple[int, ...]
    shapley: tuple[int, ...] = ()
    agnostic: bool = False
    captions: int | None = None
    theirs: bool = False
    half: bool = False

    def budgets_at(self, p: float | None) -> tuple[int, ...]:
        """How many images it is asked with."""
        if p is None:
            return self.shapley
        return () if self.half and p != 0.5 else self.budgets


_FEW, _SOME = (32, 64, 96, 128, 192, 256, 512), (64, 128, 256, 512)
_MANY, _COALITIONS = (1300, 1400, 1600, 2048, 2560), (512, 1024, 2048)
_SHAPIQ = {"shapley": _COALITIONS, "agnostic": True, "theirs": True, "half": True}
RIVALS = {
    "kernel": Rival(kernel, _FEW, _SOME),
    "kernel, mixture of p": Rival(kernel_mixture, _SOME, _SOME),
    "cross-modal least squares": Rival(crossmodal, _MANY),
    "cross-modal least squares, cross-modal pairs": Rival(
        lambda asked, budget: crossmodal(asked, budget, "crossmodal"), (*_SOME, 1024, 2048)
    ),
    "tree proxy": Rival(trees, _SOME[1:], captions=CAPTIONS_OF_TREES),
    "tree proxy, not corrected": Rival(
        lambda asked, budget: trees(asked, budget, False), _SOME, captions=CAPTIONS_OF_TREES
    ),
    "model-agnostic least squares": Rival(least_squares, (2048, 2560), (2048,), agnostic=True),
    "model-agnostic least squares, cross-modal pairs": Rival(
        lambda asked, budget: least_squares(asked, budget, "crossmodal"), (1024, 2048, 2560), (2048,), agnostic=True
    ),
    "sparse regression (two-step filtering)": Rival(filtered, (*_COALITIONS, 2560), (2048,), agnostic=True),
    "FIxLIP's ProxySHAP, all pairs of masks": Rival(
        published_trees, _SOME, captions=CAPTIONS_OF_TREES, theirs=True, half=True
    ),
    "shapiq ProxySHAP": Rival(proxyshap, _COALITIONS, **_SHAPIQ),
    "shapiq ProxySHAP, corrected": Rival(proxyshap_corrected, _COALITIONS, **_SHAPIQ),
    "shapiq ProxySPEX": Rival(proxyspex, _COALITIONS, **_SHAPIQ),
    "shapiq regression": Rival(regression, (2048,), **(_SHAPIQ | {"shapley": (2048,)})),
    "shapiq RegressionMSR, values only": Rival(regression_msr, _COALITIONS, **_SHAPIQ),
}
