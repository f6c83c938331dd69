import dataclasses
import json

import numpy as np
import pytest
from toys import make

import fixlip
from fixlip import Explanation
from fixlip.masks import enumerate_masks, mask_weights
from fixlip.subject import Subject


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
    explanation = make(0.5, attributions=attributions, interactions=interactions)
    assert [(t.players, t.value) for t in explanation.top(5)] == [((1, 7), -3.0), ((0, 6), 1.0)]
    assert [t.value for t in explanation.top(3, kind="pairs")] == [5.0, -3.0, 2.0]
    values = [(7, -5.5), (2, 2.5), (3, 2.5), (1, -1.5), (6, 1.5), (8, 1.0), (0, 0.5)]
    assert [(*t.players, t.value) for t in explanation.top(9, kind="players")] == values
    assert [t.value for t in explanation.top(2, kind="all")] == [-5.5, 5.0]
    assert [(*t.players, t.value) for t in explanation.top(9, kind="coefficients")] == [(7, -4.0)]
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
        ({"index": "banzaf"}, "index: got 'banzaf', wanted one of"),
        ({"order": 7}, "order: got 7, wanted 1, 2 or 3"),
        ({"order": 1}, "order: got 1 with interactions"),
        ({"index": "shapley", "p": 0.3}, "p: got 0.3 with the index 'shapley', which averages over all p"),
        ({"attributions": np.zeros(9, complex)}, "attributions: got entries of type complex128, wanted real numbers"),
        ({"stderr": (np.zeros(8), np.zeros((9, 9)))}, r"stderr: got shape \(8,\), wanted \(9,\)"),
        ({"stderr": (np.zeros(9), np.full((9, 9), -1.0))}, "stderr: got values that are not finite, or below 0"),
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
    assert text.startswith('Why toy finds the image and "black dog dog" similar (6 patches, 3 tokens)\n')
    assert "similarity 9.25, of which 1.50 remain with everything removed" in text and "0.931" in text
    assert f'{strongest.value:+.2f}  "{strongest.labels[1]}" with {strongest.labels[0]}' in text
    words = np.argsort(-np.abs(make().values[6:]))[:2] + 6
    lines = [f'  {make().values[i]:+.2f}  "{make().labels[i]}"' for i in words]
    order = [text.index(part) for part in ("contributions of words", *lines, "strongest interactions")]
    assert order == sorted(order), "contributions come first"
    assert text.count("\n") == 8, "nothing else is said of a pair that is similar"
    first = make().first_order().summary()
    assert "contributions of words" in first and "strongest patches" in first and "interactions" not in first


def test_terms_that_are_rounding_errors_are_not_strongest_but_stand_in_the_table():
    pairs = np.full((9, 9), 1e-7) - 1e-7 * np.eye(9)
    explanation = make(interactions=pairs)
    assert explanation.top(5) == [] and len(explanation.table()["value"]) == 45
    assert explanation.summary().endswith("strongest interactions between caption and image:\n  none")
    small = make(constant=0.0, attributions=make().attributions * 1e-6, interactions=make().interactions * 1e-6)
    assert small.top(1)[0].value == pytest.approx(make().top(1)[0].value * 1e-6), "a matter of units"


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


def test_nobody_changes_an_explanation_from_outside():
    values = np.arange(9.0)
    explanation = make(attributions=values)
    values[:] = 0
    assert explanation.attributions[3] == 3
    for array in (explanation.attributions, explanation.interactions):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_one_player_is_as_good_as_a_list_of_one():
    explanation = make()
    np.testing.assert_array_equal(explanation.restrict("black").attributions, explanation.restrict([6]).attributions)
    with pytest.raises(ValueError, match="players: got NoneType, wanted a list of numbers or labels"):
        explanation.restrict(None)


# ---- differences


@pytest.mark.parametrize("second", [{"p": 0.8}, {"index": "shapley", "p": 0.5}])
def test_the_first_order_of_a_difference_is_the_difference_of_first_orders(second):
    """Also where the two are of different p or index, and so have no p in common."""
    one, other = make(0.2), make(seed=1, **second)
    found = (one - other).first_order()
    np.testing.assert_allclose(
        found.attributions, one.first_order().attributions - other.first_order().attributions, atol=1e-12
    )
    assert found.constant == pytest.approx(one.first_order().constant - other.first_order().constant)
    assert not hasattr(one - other, "p") and found.order == 1


def test_a_difference_says_what_it_is_of():
    difference = make(0.2, full_value=9.0) - make(0.8, full_value=7.5)
    assert difference.headline == "Difference +1.50" and "p = 0.2 minus p = 0.8" in difference.facts()
    bundle, _ = difference._repr_mimebundle_()
    assert "image/png" in bundle and "Difference +1.50" in bundle["text/plain"]


# ---- files that are not what they should be


def rewritten(path, change):
    """A saved explanation with its arrays or facts changed."""
    with np.load(make().save(path)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(str(arrays["facts"]))
    change(arrays, facts)
    arrays["facts"] = np.array(json.dumps(facts))
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, f: f.update(index="foo"), "index: got 'foo'"),
        (lambda a, f: f.update(order=7), "order: got 7"),
        (lambda a, f: f.update(p="x"), "p: got 'x'"),
        (lambda a, f: f.update(constant=None), "it is damaged"),
        (lambda a, f: f.pop("constant"), "constant is missing"),
        (lambda a, f: f.pop("subject"), "subject is missing"),
        (lambda a, f: f.update(format=9), "format 9, this version reads 2"),
        (lambda a, f: f["subject"].update(grid=[-2, -3]), "grid: got"),
        (lambda a, f: f["subject"].update(grid=5), "it is damaged"),
        (lambda a, f: f["subject"].update(labels=list(range(9))), "labels: wanted strings"),
        (lambda a, f: f["subject"].update(n_image=-6), "n_image is -6"),
        (lambda a, f: a.update(attributions=np.zeros(9, complex)), "attributions is an array of complex128"),
        (lambda a, f: a.update(interactions=np.zeros(81)), "interactions is an array of float64 with 1 dimensions"),
        (lambda a, f: a.update(image=np.zeros((4, 4), np.uint8)), "image is an array of uint8 with 2 dimensions"),
        (lambda a, f: a.update(image=np.zeros((4, 4, 2), np.uint8)), "image: got uint8 of shape"),
        (
            lambda a, f: a.update(stderr_attributions=np.zeros(3), stderr_interactions=np.zeros((9, 9))),
            r"stderr: got shape \(3,\)",
        ),
    ],
)
def test_a_file_with_wrong_contents_is_refused_in_a_sentence(change, message, tmp_path):
    path = rewritten(tmp_path / "changed.npz", change)
    with pytest.raises(ValueError, match=f"path: .*changed.npz' is no saved explanation \\(.*{message}"):
        Explanation.load(path)


def test_every_damaged_byte_gives_a_sentence_or_the_same_numbers(tmp_path):
    path = make().save(tmp_path / "whole.npz")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        try:
            Explanation.load(path)
        except ValueError as error:
            assert "allow_pickle" not in str(error) and str(error).count("path: ") == 1
            refused += 1
    assert refused > 100


def test_an_archive_made_to_fill_memory_is_refused_before_it_is_unpacked(tmp_path):
    import tracemalloc

    path = rewritten(tmp_path / "bomb.npz", lambda a, f: a.update(interactions=np.zeros((6000, 6000))))
    assert path.stat().st_size < 500_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="interactions would take more memory than such a file can need"):
        Explanation.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    ignored = rewritten(tmp_path / "more.npz", lambda a, f: a.update(unasked=np.zeros((6000, 6000))))
    assert Explanation.load(ignored).constant == 1.25


def test_objects_in_a_file_are_refused_without_advice_to_load_them(tmp_path):
    np.savez(tmp_path / "objects.npz", facts=np.array([{}], dtype=object), attributions=1, interactions=1)
    with pytest.raises(ValueError, match="facts is an array of object") as caught:
        Explanation.load(tmp_path / "objects.npz")
    assert "pickle" not in str(caught.value)


def test_files_of_the_first_edition_are_read(tmp_path):
    def as_it_was(arrays, facts):
        facts["format"] = 1
        facts["players"] = {k: v for k, v in facts.pop("subject").items() if k != "origins"}
        facts["players"] |= {name: facts.pop(name) for name in ("empty_value", "full_value")}
        facts.pop("counts")

    loaded, expected = Explanation.load(rewritten(tmp_path / "old.npz", as_it_was)), make()
    np.testing.assert_array_equal(loaded.interactions, expected.interactions)
    assert (loaded.empty_value, loaded.full_value, loaded.text) == (1.5, 9.25, "black dog dog")
