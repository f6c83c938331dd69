"""A map of one's own in one line."""

import numpy as np
import pytest
from toys import RandomBilinearGame, make

import fixlip
from fixlip import Explanation
from fixlip.subject import Subject, patch_labels

SUBJECT = Subject(6, 2, (*patch_labels((2, 3)), "a", "cat"), (2, 3), None, "a cat", "toy")
MAP = np.arange(6.0).reshape(2, 3)


class CountedGame(RandomBilinearGame):
    """A game that counts how many masks it was asked about."""

    asked, grid = 0, (2, 3)

    def __call__(self, masks):
        self.asked += len(masks)
        return super().__call__(masks)


@pytest.fixture
def game():
    return CountedGame(6, 2)


def test_a_map_becomes_an_explanation_in_one_line(game):
    explanation = Explanation.from_heatmap(MAP, game, text=[0.5, -1])
    np.testing.assert_array_equal(explanation.attributions, [0, 1, 2, 3, 4, 5, 0.5, -1])
    assert game.asked == 2, "the empty and the grand coalition"
    ends = CountedGame(6, 2)(np.array([[False] * 8, [True] * 8]))
    assert (explanation.empty_value, explanation.full_value) == pytest.approx(tuple(ends))
    assert (explanation.order, explanation.index, explanation.unit) == (1, "scores", "scores")
    assert explanation.estimator == "a heat map" and explanation.budget is None and not explanation.predicts
    assert Explanation.from_heatmap(MAP, game, name="my method").unit_name == "scores of my method"


def test_players_come_from_a_game_a_subject_or_an_explanation():
    of_subject = Explanation.from_heatmap(MAP.ravel(), SUBJECT)
    assert np.isnan(of_subject.full_value) and of_subject.labels == SUBJECT.labels and not of_subject.values[6:].any()
    of_other = Explanation.from_heatmap(MAP, make())
    assert (of_other.full_value, of_other.empty_value, of_other.text) == (9.25, 1.5, "black dog dog")
    encoder, scene = fixlip.load("emoji-clip"), fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption)
    whole = np.asarray(scene.image.convert("L"), float)
    found = Explanation.from_heatmap(whole, game)
    assert found.full_value == pytest.approx(game.full_value) and found.subject is game.subject
    rows, columns = game.grid
    expected = whole.reshape(rows, whole.shape[0] // rows, columns, -1).mean((1, 3)).ravel()
    np.testing.assert_allclose(found.values[: game.n_image], expected)
    samples = fixlip.sample(game, 16, progress=False)
    assert Explanation.from_heatmap(whole, samples).full_value == pytest.approx(game.full_value, rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (4, 9), (5, 7), (2, 4), (337, 223)])
def test_a_finer_map_is_averaged_over_the_area_of_each_patch(shape, rng):
    """Compared with cutting every cell of the map into as many pieces as make both fit."""
    fine = rng.normal(size=shape)
    found = Explanation.from_heatmap(fine, SUBJECT).values[:6]
    assert found.sum() / 6 == pytest.approx(fine.mean()), "nothing is lost at the edges"
    height, width = np.lcm(shape[0], 2), np.lcm(shape[1], 3)
    pieces = fine.repeat(height // shape[0], axis=0).repeat(width // shape[1], axis=1)
    expected = pieces.reshape(2, height // 2, 3, width // 3).mean((1, 3))
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-12)


def test_arrays_lists_and_tensors_say_the_same():
    import torch

    expected = Explanation.from_heatmap(MAP, SUBJECT).values
    tensor = torch.from_numpy(MAP)
    given = [MAP.tolist(), MAP.astype(np.float32), MAP.astype(int), tensor, tensor.bfloat16(), tensor.half()]
    given += [tensor.clone().requires_grad_(), tensor.int(), tuple(map(tuple, MAP))]
    for one in given:
        np.testing.assert_array_equal(Explanation.from_heatmap(one, SUBJECT).values, expected)
    words = torch.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(Explanation.from_heatmap(MAP, SUBJECT, text=words).values[6:], [1, 2])
    np.testing.assert_array_equal(Explanation.from_heatmap(MAP > 2, SUBJECT).values[:6], [0, 0, 0, 1, 1, 1])


def test_what_was_given_may_change_later():
    mine = MAP.copy()
    explanation = Explanation.from_heatmap(mine.ravel(), SUBJECT)
    mine[:] = 9
    np.testing.assert_array_equal(explanation.values[:6], MAP.ravel())


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (
            np.zeros((1, 3)),
            {},
            r"array: got shape \(1, 3\), wanted \(2, 3\) for the rows and columns of patches, a finer",
        ),
        (np.zeros((3, 2)), {}, r"array: got shape \(3, 2\), wanted \(2, 3\)"),
        (np.zeros((1, 2, 3)), {}, r"array: got shape \(1, 2, 3\)"),
        (np.zeros(5), {}, r"array: got shape \(5,\)"),
        (np.zeros(8), {}, r"array: got shape \(8,\).*or \(6,\)"),
        (3.0, {}, r"array: got shape \(\)"),
        (np.full((2, 3), np.nan), {}, "array: 6 of 6 entries are not finite numbers"),
        (np.array([[1, 2, np.inf], [1, 2, 3]]), {}, "array: 1 of 6 entries are not finite"),
        (np.zeros((2, 3), complex), {}, "array: got entries of type complex128, wanted real numbers"),
        ([[1, 2, 3], [1, 2]], {}, "array: got list that is no array of numbers"),
        ("heat", {}, "array: got entries of type .*, wanted real numbers"),
        (None, {}, "array: got entries of type object"),
        (MAP, {"text": [1.0]}, r"text: got shape \(1,\), wanted \(2,\), a number for each token: a, cat"),
        (MAP, {"text": np.zeros((2, 1))}, r"text: got shape \(2, 1\)"),
        (MAP, {"text": [1.0, np.nan]}, "text: 1 of 2 entries are not finite"),
        (MAP, {"name": ""}, "name: got '', wanted what readers are told the map is"),
        (MAP, {"name": None}, "name: got None"),
    ],
)
def test_what_does_not_fit_is_one_sentence_before_the_game_is_asked(array, options, message, game):
    with pytest.raises(ValueError, match=message):
        Explanation.from_heatmap(array, SUBJECT, **options)
    with pytest.raises(ValueError, match=message.replace("a, cat", "text 0, text 1")):
        Explanation.from_heatmap(array, game, **options)
    assert game.asked == 0


def test_a_complex_tensor_and_something_that_is_no_game_are_refused():
    import torch

    with pytest.raises(ValueError, match="array: got entries of type complex64"):
        Explanation.from_heatmap(torch.zeros(2, 3, dtype=torch.complex64), SUBJECT)
    with pytest.raises(ValueError, match="game: got int, wanted a game"):
        Explanation.from_heatmap(MAP, 3)


def test_players_without_a_grid_take_a_list_only():
    loose = Subject(6, 2, tuple("abcdefgh"))
    assert Explanation.from_heatmap(MAP.ravel(), loose).values[5] == 5
    with pytest.raises(ValueError, match=r"array: got shape \(2, 3\), wanted \(6,\): the image players form no grid"):
        Explanation.from_heatmap(MAP, loose)
