import numpy as np
import pandas as pd
import pytest
import shapiq
from toys import TableGame, make

from fixlip import Explanation
from fixlip.estimators.exact import exact
from fixlip.subject import Subject


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_there_and_back_changes_nothing(p):
    explanation = make(p)
    for shown in (explanation, explanation.first_order()):
        values = shown.to_shapiq()
        again = Explanation.from_shapiq(values, explanation.subject, p)
        assert again.constant == shown.constant and again.order == shown.order and again.index == "banzhaf"
        np.testing.assert_array_equal(again.attributions, shown.attributions)
        np.testing.assert_array_equal(again.interactions, shown.interactions)
        assert values[(0,)] == shown.attributions[0]
        assert Explanation.from_shapiq(values, explanation.subject).p == again.p == p


def test_what_shapiq_computes_becomes_an_explanation(rng):
    game = TableGame(rng.normal(size=2**6), 4, 2)
    computer = shapiq.ExactComputer(n_players=6, game=lambda masks: game(np.asarray(masks, bool)))
    players = Subject(4, 2, tuple("abcdef"))
    found = Explanation.from_shapiq(computer("FBII", order=2), players)
    np.testing.assert_allclose(found.interactions, exact(game, 0.5).interactions, atol=1e-9)
    assert Explanation.from_shapiq(computer("SV", order=1), players).index == "shapley"


def test_what_does_not_fit_is_refused():
    values = make().to_shapiq()
    with pytest.raises(ValueError, match="got 9 players and order 2, wanted 3 players"):
        Explanation.from_shapiq(values, Subject(2, 1, ("a", "b", "c")))
    facts = {"max_order": 2, "min_order": 2, "n_players": 9, "baseline_value": 0.0}
    values = shapiq.InteractionValues(np.zeros(1), index="STII", interaction_lookup={(0, 1): 0}, **facts)
    with pytest.raises(ValueError, match="got the index 'STII'"):
        Explanation.from_shapiq(values, make().subject)


def test_the_table_holds_every_term_strongest_first():
    explanation = make()
    frame = pd.DataFrame(explanation.table())
    assert len(frame) == 9 + 36
    assert frame["value"].abs().is_monotonic_decreasing
    strongest = frame.iloc[0]
    i, j = strongest["first_player"], strongest["second_player"]
    assert strongest["value"] == (explanation.attributions[i] if j is None else explanation.interactions[i, int(j)])
    assert len(explanation.table("crossmodal")["value"]) == 18


def test_differences_subtract_predictions(rng):
    first, second = make(), make(seed=1)
    masks = rng.random((10, 9)) < 0.5
    np.testing.assert_allclose((first - second).predict(masks), first.predict(masks) - second.predict(masks))
    assert (first - second).full_value == 0
    with pytest.raises(TypeError):
        first - 1
    other = exact(TableGame(np.zeros(8), 2, 1))
    with pytest.raises(ValueError, match=r"difference: got 6 \+ 3 and 2 \+ 1 players"):
        first - other


def test_shapley_indices_come_without_a_p():
    explanation = make(0.5, index="shapley")
    again = Explanation.from_shapiq(explanation.to_shapiq(), explanation.subject)
    np.testing.assert_allclose(again.first_order().attributions, explanation.first_order().attributions)
    with pytest.raises(ValueError, match="p: got 0.3 with the index 'shapley'"):
        Explanation.from_shapiq(explanation.to_shapiq(), explanation.subject, 0.3)


def test_the_table_tells_players_apart_that_have_one_label():
    explanation = make()
    frame = pd.DataFrame(explanation.table("crossmodal"))
    assert (frame["kind"] == "patch with token").all()
    assert set(frame["first_row"]) == {1, 2} and set(frame["first_column"]) == {1, 2, 3}
    dogs = frame[frame["second_label"] == "dog"]
    assert set(dogs["second_token"]) == {2, 3} and len(dogs) == 12
    for _, row in frame.iterrows():
        i, j = row["first_player"], row["second_player"]
        assert row["value"] == explanation.interactions[i, j]
        assert (row["first_row"] - 1) * 3 + row["first_column"] - 1 == i and row["second_token"] == j - 6 + 1
    assert set(explanation.table("players")["kind"]) == {"patch", "token"}
