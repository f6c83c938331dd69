"""The leaderboard: its limits are right, its rows are kept, and it counts as it says."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
from toys import SmoothGame

import fixlip
from fixlip.estimators.exact import exact

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # last: files there are called coverage and the like
import board_limit
import board_report
import board_rivals
import leaderboard


@pytest.mark.parametrize("p", [0.3, None])
def test_a_limit_is_as_far_from_the_truth_as_it_says(p):
    """All 2^12 coalitions tell the truth; the fit, to 24 masks, is a bad one on purpose."""
    game = SmoothGame(n_image=9, n_text=3)
    truth = exact(game, p or 0.5, "shapley" if p is None else "banzhaf")
    found = [board_limit.limit_of(game, p, (24, 60), seed) for seed in range(10)]
    for limits, variances, known in (
        ([one.values for one in found], [one.value_variance for one in found], truth.values),
        ([one.pairs for one in found], [one.pair_variance for one in found], truth.interactions),
    ):
        said = np.mean(variances)
        assert np.mean((np.array(limits) - known) ** 2) == pytest.approx(said, rel=0.35)
        assert np.mean((np.mean(limits, axis=0) - known) ** 2) < 2 * said / len(found)  # no bias


def test_errors_are_those_to_the_limit_less_its_own():
    game = SmoothGame(n_image=9, n_text=3)
    limit, truth = board_limit.limit_of(game, 0.5, (200, 200), 0), exact(game)
    assert max(limit.errors(truth)) < 0.1 * min(limit.sizes)
    assert limit.sizes == pytest.approx(
        (np.sqrt(np.mean(truth.values**2)), np.sqrt(np.mean(truth.interactions[np.triu_indices(12, 1)] ** 2))), rel=0.1
    )


def test_encodings_needed_are_read_between_budgets():
    curve = {32: {"a": 0.5, "b": 0.96, "c": 0.1}, 128: {"a": 0.9, "b": 0.99, "c": 0.2}, 512: {"a": 1.0, "c": 0.3}}
    assert board_report.needed({b: {"a": one["a"]} for b, one in curve.items()}) == {"a": pytest.approx(256)}
    assert board_report.needed({b: {"b": curve[b]["b"]} for b in (32, 128)}) == {"b": 32}
    assert board_report.needed({b: {"c": one["c"]} for b, one in curve.items()}) == {"c": np.inf}


def test_rows_are_kept_and_only_what_is_missing_is_measured(tmp_path, monkeypatch):
    game, made = SmoothGame(n_image=9, n_text=3), []
    monkeypatch.setattr(leaderboard, "load", lambda model, seed: None)
    monkeypatch.setattr(leaderboard, "game_of", lambda *asked: made.append(asked) or game)
    monkeypatch.setattr(leaderboard, "MOST", (64, (64, 64), 100))
    names = ["kernel", "cross-modal least squares, cross-modal pairs", "cross-modal least squares"]
    options = argparse.Namespace(
        out=tmp_path, models=["toy"], scenes=1, at=["0.5"], every_other=False, estimators=names[:1]
    )
    leaderboard.run(options)
    leaderboard.run(options)
    assert len(made) == 1
    options.estimators = names
    leaderboard.run(options)
    rows = leaderboard.read(tmp_path / "leaderboard.csv")
    assert [(row["estimator"], row["encodings"]) for row in rows] == [
        ("limit", "128"),
        ("kernel", "32"),
        ("kernel", "64"),
        (names[1], "64"),
        (names[2], "0"),  # too few images for it, which is not tried again
    ]
    fresh = leaderboard.Fresh(game, 0.5, 100, 2 * 10**6)
    told = fixlip.sample(game, 64, p=0.5, progress=False).explain(0.5)
    known = 1 - np.mean((game(fresh.masks) - told.predict(fresh.masks)) ** 2) / game(fresh.masks).var()
    assert float(rows[2]["r2"]) == pytest.approx(known, abs=1e-4)
    text = board_report.summary(*board_report.collect(rows))
    assert "| toy | 0.5 |" in text and f"| {names[1]} |" in text and f"| {names[2]} |" not in text


def test_sparse_regression_finds_the_few_that_interact():
    """Of a game with two pairs in it, from fewer coalitions than there are pairs of players."""

    class Sparse(SmoothGame):
        def __call__(self, masks):
            x = masks.astype(float)
            return 3 * x[:, 0] + 3 * x[:, 1] + 4 * x[:, 0] * x[:, 1] + 3 * x[:, 2] + 2 * x[:, 2] * x[:, 31]

    asked = board_rivals.Asked(Sparse(n_image=30, n_text=4), 0.5, 0, 512)
    found = board_rivals.filtered(asked, 400)
    assert found.interactions[0, 1] == pytest.approx(4) and found.interactions[2, 31] == pytest.approx(2)
    assert asked.drawn["masks"].shape == (400, 4)
