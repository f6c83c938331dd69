import dataclasses

import numpy as np
import pytest

import fixlip
from fixlip import Explanation
from fixlip.masks import enumerate_masks, mask_weights
from fixlip.subject import Subject, patch_labels

LABELS = (*patch_labels((2, 3)), "black", "dog", "dog")


def make(p=0.4, seed=0, **changes):
    """Six patches and three tokens with known numbers in them."""
    rng = np.random.default_rng(seed)
    pairs = np.triu(rng.normal(size=(9, 9)), 1)
    picture = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    players = Subject(6, 3, LABELS, (2, 3), picture, "black dog dog", "toy")
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


def test_predict_is_the_sum_over_present_players_and_pairs():
    explanation = make()
    masks = enumerate_masks(9)[[0, 1, 0b101010101, 511]]
    for mask, predicted in zip(masks, explanation.predict(masks), strict=True):
        inside = np.flatnonzero(mask)
        expected = explanation.constant + sum(explanation.attributions[i] for i in inside)
        expected += sum(explanation.interactions[i, j] for i in inside for j in inside if i < j)
        assert predicted == pytest.approx(expected)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_first_order_is_the_best_fit_without_interactions(p):
    explanation, masks = make(p), enumerate_masks(9)
    design = np.hstack([np.ones((512, 1)), masks])
    root = np.sqrt(mask_weights(masks, p))[:, None]
    expected = np.linalg.lstsq(design * root, explanation.predict(masks) * root[:, 0], rcond=None)[0]
    found = explanation.first_order()
    assert found.order == 1 and not found.interactions.any()
    np.testing.assert_allclose([found.constant, *found.attributions], expected)


def test_conditioning_and_the_crossmodal_block():
    explanation = make()
    np.testing.assert_array_equal(explanation.condition("black"), explanation.interactions[6])
    np.testing.assert_array_equal(explanation.condition(8), explanation.interactions[8])
    assert explanation.crossmodal().shape == (6, 3)
    assert explanation.crossmodal()[4, 1] == explanation.interactions[4, 7]
    explanation.condition(0)[:] = 0
    assert explanation.interactions[0].any(), "views are copies"


@pytest.mark.parametrize(
    ("player", "message"),
    [
        ("dog", r"'dog' stands for players \[7, 8\]"),
        ("cat", "'cat' is no player; the tokens are: black, dog, dog"),
        (9, "wanted a number from 0 to 8"),
        (-1, "wanted a number from 0 to 8"),
        (1.5, "wanted a player's number or label"),
        (True, "wanted a player's number or label"),
    ],
)
def test_unknown_players_are_refused(player, message):
    with pytest.raises(ValueError, match=message):
        make().condition(player)


def test_top_lists_the_largest_absolute_values_first():
    interactions = np.zeros((9, 9))
    for i, j, value in [(0, 6, 1.0), (1, 7, -3.0), (2, 3, 5.0), (6, 8, 2.0)]:
        interactions[i, j] = interactions[j, i] = value
    attributions = np.array([0, 0, 0, 0, 0, 0, 0, -4.0, 0])
    explanation = make(attributions=attributions, interactions=interactions)
    assert [(t.players, t.value) for t in explanation.top(5)] == [((1, 7), -3.0), ((0, 6), 1.0)]
    assert [t.value for t in explanation.top(3, kind="pairs")] == [5.0, -3.0, 2.0]
    assert [t.players for t in explanation.top(9, kind="players")] == [(7,)]
    assert [t.value for t in explanation.top(2, kind="all")] == [5.0, -4.0]
    assert explanation.top(1)[0].labels == ("patch 1,2", "dog")
    with pytest.raises(ValueError, match="kind: got 'some'"):
        explanation.top(1, kind="some")
    with pytest.raises(ValueError, match="k: got 0"):
        explanation.top(0)


def test_restrict_keeps_what_lies_inside(rng):
    explanation = make()
    inside = explanation.restrict([0, 3, "black"])
    masks = rng.random((20, 9)) < 0.5
    only = masks.copy()
    only[:, [1, 2, 4, 5, 7, 8]] = False
    np.testing.assert_allclose(inside.predict(masks), explanation.predict(only))


def test_saving_and_loading_changes_nothing(tmp_path):
    stderr = (np.full(9, 0.1), np.full((9, 9), 0.2))
    explanation = make(stderr=stderr, expected_faithfulness=0.93)
    path = explanation.save(tmp_path / "pair")
    assert path == tmp_path / "pair.npz"
    loaded = Explanation.load(path)
    for field in dataclasses.fields(Explanation):
        if field.name == "stderr":
            for found, expected in zip(loaded.stderr, stderr, strict=True):
                np.testing.assert_array_equal(found, expected)
        elif field.name != "subject":
            np.testing.assert_array_equal(getattr(loaded, field.name), getattr(explanation, field.name))
    for field in dataclasses.fields(Subject):
        np.testing.assert_array_equal(getattr(loaded.subject, field.name), getattr(explanation.subject, field.name))
    assert loaded.top(1)[0].stderr == 0.2
    assert [file.name for file in tmp_path.iterdir()] == ["pair.npz"]


def test_saved_files_hold_no_pickle(tmp_path):
    with np.load(make().save(tmp_path / "pair.npz"), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_loading_something_else_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        Explanation.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "other.npz", values=np.ones(3))
    whole = make().save(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "other", "half"):
        with pytest.raises(ValueError, match="is no saved explanation"):
            Explanation.load(tmp_path / f"{name}.npz")


def test_a_failed_save_harms_no_earlier_file(tmp_path, monkeypatch):
    path = make().save(tmp_path / "pair.npz")

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(ValueError, match="cannot write .*No space left"):
        make(seed=1).save(path)
    assert Explanation.load(path).constant == 1.25
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attributions": np.zeros(8)}, r"attributions: got shape \(8,\), wanted \(9,\)"),
        ({"interactions": np.ones((9, 9))}, "zero diagonal"),
        ({"interactions": np.triu(np.ones((9, 9)), 1)}, "symmetric"),
        ({"attributions": np.full(9, np.nan)}, "not finite"),
        ({"constant": float("inf")}, "constant: got inf"),
        ({"p": 1.0}, "p: got 1"),
    ],
)
def test_inconsistent_numbers_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_players_must_fit_each_other():
    with pytest.raises(ValueError, match="labels: got 2, wanted one for each of the 3 players"):
        Subject(2, 1, ("a", "b"))
    with pytest.raises(ValueError, match="grid: got"):
        Subject(3, 0, ("a", "b", "c"), grid=(2, 2))


def test_summary_says_it_in_words():
    text = make(expected_faithfulness=0.931).summary(k=2)
    strongest = make().top(1)[0]
    assert '"black dog dog"' in text and "similarity 9.25" in text and "0.931" in text
    assert f'{strongest.value:+.2f}  "{strongest.labels[1]}" with {strongest.labels[0]}' in text
    assert "strongest players" in make().first_order().summary()


def test_the_public_names_are_few_and_light(run_python):
    assert sorted(fixlip.__all__) == sorted(set(fixlip.__all__)) and len(fixlip.__all__) <= 15
    for name in fixlip.__all__:
        assert getattr(fixlip, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fixlip.nothing  # noqa: B018
    heavy = run_python(
        "import sys, fixlip, fixlip.emoji, fixlip.__main__; dir(fixlip)\n"
        "print({m.split('.')[0] for m in sys.modules} & {'torch', 'transformers', 'ipywidgets', 'bokeh', 'scipy'})"
    )
    assert heavy.stdout.strip() == "set()"
