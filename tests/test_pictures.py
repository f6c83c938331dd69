import base64
import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from toys import TableGame, make, mosaic

from fixlip import Explanation
from fixlip.estimators.exact import exact
from fixlip.estimators.thirds import refine
from fixlip.pictures import alt_text, compare, draw, drawing, fonts, layout, pair, words
from fixlip.pictures.cells import draw_cells
from fixlip.pictures.curves import Line, draw_curves
from fixlip.pictures.masked import draw_masked
from fixlip.pictures.words import model_name
from fixlip.subject import Subject, patch_labels


def only(grid, values, tokens=("cat", "dog"), **facts):
    """An explanation without a picture in which only the given players have values."""
    n_image = grid[0] * grid[1]
    n = n_image + len(tokens)
    attributions = np.zeros(n)
    for player, value in values.items():
        attributions[player] = value
    players = Subject(n_image, len(tokens), (*patch_labels(grid), *tokens), grid, None, " ".join(tokens), **facts)
    return Explanation(0.0, attributions, np.zeros((n, n)), players)


def patch_colour(picture, grid, row, column):
    """Colour below the middle of a patch, away from grid lines and numbers; the picture is centred below the title."""
    rows, columns = grid
    cell = min((720 - 48) / columns, 420 / max(rows, columns))
    x = 720 / 2 + (column + 0.5 - columns / 2) * cell
    y = 82 + (row + 0.75) * cell
    return np.array(picture.getpixel((round(2 * x), round(2 * y)))[:3], dtype=int)


def test_positive_patches_are_red_negative_blue_and_rows_are_no_columns():
    grid = (3, 5)
    picture = draw(only(grid, {1: 2.0, 13: -2.0}))
    red, blue = patch_colour(picture, grid, 0, 1), patch_colour(picture, grid, 2, 3)
    assert red[0] > red[2] + 60 and blue[2] > blue[0] + 60
    for row in range(3):
        for column in range(5):
            if (row, column) not in ((0, 1), (2, 3)):
                assert np.ptp(patch_colour(picture, grid, row, column)) < 10


def test_a_shared_scale_gives_the_same_value_the_same_colour():
    grid = (2, 2)
    small, large = only(grid, {0: 1.0}), only(grid, {0: 1.0, 3: 4.0})
    alone, beside = (patch_colour(draw(e), grid, 0, 0) for e in (small, large))
    assert np.abs(alone - beside).max() > 40
    shared = [patch_colour(draw(e, scale=4.0), grid, 0, 0) for e in (small, large)]
    np.testing.assert_array_equal(*shared)


def test_separate_scaling_frees_the_patches_from_the_tokens():
    explanation = only((2, 2), {0: 1.0, 4: 10.0})
    joint, separate = (patch_colour(draw(explanation, scaling=s), (2, 2), 0, 0) for s in ("joint", "separate"))
    assert separate[0] - separate[2] > joint[0] - joint[2] + 60


def test_words_get_a_scale_of_their_own_if_they_would_leave_the_patches_pale():
    for word, apart in ((2.9, False), (3.1, True), (10.0, True)):
        explanation = only((2, 2), {0: 1.0, 4: word})
        same = "separate" if apart else "joint"
        assert draw(explanation).tobytes() == draw(explanation, scaling=same).tobytes(), "and the legend says which"
        assert draw(explanation, scaling="joint").height == draw(explanation, scaling="separate").height - 2 * 15
    assert draw(only((2, 2), {4: 9.0})).tobytes() == draw(only((2, 2), {4: 9.0}), scaling="joint").tobytes()


def test_a_subset_greys_what_is_outside():
    explanation = only((2, 2), {i: 3.0 for i in range(6)})
    picture = draw(explanation, players=[0, "cat"])
    assert np.ptp(patch_colour(picture, (2, 2), 0, 0)) > 60
    assert np.ptp(patch_colour(picture, (2, 2), 1, 1)) < 25
    mask = np.isin(np.arange(6), [0, 4])
    assert draw(explanation, players=mask).tobytes() == picture.tobytes()


def test_conditioning_shows_the_interactions_of_one_player():
    explanation = mosaic()
    picture = draw(explanation, condition="cat")
    row = explanation.condition("cat")[:49].reshape(7, 7)
    for place in (np.unravel_index(f(row), row.shape) for f in (np.argmax, np.argmin)):
        colour = patch_colour(picture, (7, 7), *place)
        assert (colour[0] - colour[2]) * row[place] > 0
    assert picture.tobytes() != draw(explanation, condition="ball").tobytes()
    assert draw(explanation, condition="patch 1,1").size[0] == 1440


def test_edges_are_drawn_for_second_order_only():
    explanation = mosaic()
    assert draw(explanation, edges=8).tobytes() != draw(explanation, edges=7).tobytes()
    values = explanation.first_order()
    assert draw(values, edges=8).tobytes() == draw(values, edges=0).tobytes()


@pytest.mark.parametrize("options", [{}, {"condition": "tractor"}, {"scaling": "separate"}, {"width": 480}])
@pytest.mark.parametrize("grid", [(7, 7), (14, 14), (16, 16), (2, 9)])
def test_grids_and_options_make_sharp_pictures(grid, options):
    picture = draw(mosaic(grid), **options)
    assert picture.mode == "RGBA" and picture.width == 2 * options.get("width", 720)
    assert picture.getpixel((picture.width // 2, 3))[3] == 255, "opaque, so that it reads on any theme"
    assert picture.getpixel((0, 0))[3] == 0, "rounded corners"


def test_drawing_is_deterministic():
    assert draw(mosaic()).tobytes() == draw(mosaic()).tobytes()


def test_long_captions_wrap_and_stay_inside():
    tokens = tuple(f"word{i}" for i in range(76)) + ("x" * 300,)
    picture = np.asarray(draw(mosaic(tokens=tokens)))
    card = np.array(drawing.CARD)
    assert picture.shape[0] > 2 * np.asarray(draw(mosaic())).shape[0] * 0.8
    for edge in (picture[100:-100, :20, :3], picture[100:-100, -20:, :3]):
        assert (edge == card).all()


def test_wrapping_fills_lines_in_order():
    assert drawing.wrap([4, 4, 4, 9, 1], 1, 10) == [[0, 1], [2], [3], [4]]
    assert drawing.wrap([], 1, 10) == []
    assert drawing.wrap([50], 1, 10) == [[0]]


def chips_drawn(picture, count):
    """How many chips, each with something dark written in it, the lowest line of chips of a picture has."""
    rows = np.asarray(picture.convert("RGB"), int)[-2 * 112 : -2 * 68]  # the chips' 44 pixels above the legend
    inside = (np.abs(rows - drawing.CARD).sum(axis=2) > 0).any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    widths = [rows[:, left:right] for left, right in zip(edges[::2], edges[1::2], strict=True)]
    assert len(widths) == count
    return [bool((chip[10:40].sum(axis=2) < 300).any()) for chip in widths]


def test_any_text_is_shown(monkeypatch):
    seen, unseen = ("é", "猫", "кот", "🐈", "ﬁ"), ("\u200b", "\x07", "")
    for found in (fonts.OTHER_FONTS, ()):
        monkeypatch.setattr(fonts, "OTHER_FONTS", found)
        assert all(chips_drawn(draw(only((7, 7), {}, tokens=seen)), 5)), "written, in one form or another"
        chips_drawn(draw(only((7, 7), {}, tokens=unseen)), 3)
    assert fonts.fit_font("é猫", 12)[0] == "e[U+732B]"


def test_few_players_are_no_trouble():
    one, none = (draw(only((1, 1), {}, tokens=tokens)) for tokens in (("cat",), ()))
    assert chips_drawn(one, 1) == [True]
    assert none.height == one.height - 2 * 52, "there is no line of chips"


def test_players_that_are_no_grid_are_chips_above_the_words():
    players = Subject(2, 1, ("left", "right", "word"))
    explanation = Explanation(0.0, np.array([1.0, -1, 0]), np.zeros((3, 3)), players, full_value=1.0, empty_value=0.0)
    picture = draw(explanation)
    above = picture.crop((0, 0, picture.width, picture.height - 2 * 52))
    (left, right), (word,) = (chips_drawn(p, n) for p, n in ((above, 2), (picture, 1)))
    assert left and right and word


# ---- lines, numbers and rulers


def lined(pairs, values=(), grid=(3, 3), tokens=("a", "dog")):
    """An explanation with the given interactions {(patch, token): value}, tokens counted from 0."""
    explanation = only(grid, dict(values), tokens)
    interactions = np.zeros((explanation.n_players, explanation.n_players))
    for (patch, token), value in pairs.items():
        player = explanation.n_image + token
        interactions[patch, player] = interactions[player, patch] = value
    # Such that the values are those asked for.
    attributions = explanation.attributions - explanation.p * interactions.sum(axis=1)
    return replace(explanation, interactions=interactions, attributions=attributions)


def planned(explanation, width=300):
    content = layout.content_of(explanation, None, None, 20, "auto", None)
    return content, pair.plan_of(explanation, content, 82.0, width)


def test_a_line_to_a_lower_word_passes_between_the_words_above_it():
    tokens = tuple(f"word{k}" for k in range(14))
    explanation = lined({(k, 13 - k): 1.0 + k for k in range(7)}, grid=(3, 3), tokens=tokens)
    content, plan = planned(explanation)
    assert len({plan.chips[9 + k][1] for k in range(14)}) > 3, "several lines of words"
    for term in content.edges:
        patch, token = term.players
        points = pair._line(plan, patch, token, pair._end(content, plan, patch, token))
        left, top, right, _ = plan.chips[token]
        assert points[-1][1] == top and left < points[-1][0] < right, "it ends at its own word"
        for player, box in plan.chips.items():
            behind = [x for x, y in points if box[0] - 3 < x < box[2] + 3 and box[1] + 0.1 < y < box[3]]
            assert not behind, f"the line to {token} runs behind {player}"
    lanes = [lane[0][0] for lane in plan.lanes.values() if len(lane) == 1]
    assert len(set(lanes)) == len(lanes), "no two words share a gap if they need not"


def test_lines_end_beside_each_other():
    content, plan = planned(lined({(0, 1): 3.0, (1, 1): -2.0, (2, 1): 1.0}))
    ends = [pair._end(content, plan, patch, 10) for patch in range(3)]
    left, _, right, _ = plan.chips[10]
    assert left < ends[0] < ends[1] < ends[2] < right and min(np.diff(ends)) >= 5
    one = lined({(8, 0): 1.0}, tokens=("a",))
    assert draw(one).tobytes() != draw(replace(one, interactions=-one.interactions, attributions=one.values)).tobytes()


def test_no_line_covers_a_number():
    values = {k: 1.0 + k / 10 for k in range(3, 9)}
    plain, crossed = (lined(pairs, values) for pairs in ({(0, 0): 0.1}, {(k, 0): 1.0 for k in range(9)}))
    pictures = [np.asarray(draw(one, scaling="separate").convert("RGB"), int) for one in (plain, crossed)]
    _, plan = planned(plain, 720)
    for player in values:
        left, top, _, _ = (round(2 * c) for c in plan.box_of(player))
        plates = [picture[top + 6 : top + 32, left + 6 : left + 60] for picture in pictures]
        np.testing.assert_array_equal(*plates)
        assert (plates[0].sum(axis=2) < 200).any(), "there is a number"


@pytest.mark.parametrize("grid", [(7, 7), (2, 9), (16, 16), (24, 24)])
def test_rows_and_columns_are_numbered(grid, monkeypatch):
    told = []
    whole = drawing.Sheet.text

    def listen(sheet, at, text, size, *arguments, **options):
        if size == layout.RULER_TEXT:
            told.append((at, int(text)))
        whole(sheet, at, text, size, *arguments, **options)

    monkeypatch.setattr(drawing.Sheet, "text", listen)
    explanation = only(grid, {})
    draw(explanation, width=300)
    content = layout.content_of(explanation, None, None, 8, "auto", None)
    plan = layout.lay_out(explanation, pair.head_of(explanation, content, 300).height, 300)
    above = {n: x for (x, y), n in told if y < plan.picture[1]}
    beside = {n: y for (x, y), n in told if x < plan.picture[0] and y > plan.picture[1]}
    assert {1}.issubset(above) and {1}.issubset(beside) and len(above) + len(beside) == len(told)
    for column, x in above.items():
        left, _, right, _ = plan.box_of(explanation.find(f"patch 1,{column}"))
        assert x == pytest.approx((left + right) / 2)
    for row, y in beside.items():
        _, top, _, bottom = plan.box_of(explanation.find(f"patch {row},1"))
        assert y == pytest.approx((top + bottom) / 2)
    assert all(step >= layout.RULER_STEP for step in np.diff(sorted(above.values())))
    assert '"patch 2,1" is in row 2 and column 1' in alt_text(explanation)


# ---- present and absent, footnotes


def test_what_is_absent_is_grey_and_what_is_present_as_it_is():
    subject = mosaic().subject
    present = np.ones(subject.n_players, bool)
    whole = draw_masked(subject, present, title="whole")
    present[[24, 50]] = False
    some = draw_masked(subject, present, title="whole", notes={24: "-1.2", 50: "+0.3"})
    plan = layout.lay_out(subject, layout.lay_out_head("whole", [], 400).height, 400, rows=0)
    left, top, right, bottom = (round(2 * c) for c in plan.box_of(24))
    inside = np.asarray(some.convert("RGB"))[top + 50 : bottom - 4, left + 4 : right - 4]
    assert (inside == 128).all() and some.size == whole.size
    differs = np.abs(np.asarray(some, int) - np.asarray(whole, int)).sum(axis=2) > 0
    rows, columns = np.nonzero(differs)
    chip = plan.box_of(50)
    outside = (rows < top - 2) | ((rows > bottom + 2) & (rows < 2 * chip[1] - 2)) | (rows > 2 * chip[3] + 2)
    assert not outside.any(), "nothing else has changed"
    assert differs[round(2 * chip[1]) :, round(2 * chip[0]) : round(2 * chip[2])].any()
    assert draw_masked(subject, present, title="whole", rulers=False).tobytes() != some.tobytes()
    with pytest.raises(ValueError, match="subject: wanted image patches on a grid"):
        draw_masked(mosaic(image=False).subject, present, title="none")


def test_a_footnote_stands_below_the_picture_and_in_its_words():
    picture = mosaic().draw(width=300)
    noted = picture.with_footnote("a few words that take more than one line of so narrow a picture as this one is")
    assert noted.image.width == picture.image.width and noted.words.startswith(picture.words + "\n" + "a few words")
    assert noted.image.crop((0, 0, *picture.image.size)).tobytes() == picture.image.tobytes()
    assert noted.image.height > picture.with_footnote("short").image.height > picture.image.height
    below = np.asarray(noted.image.convert("L"))[picture.image.height + 12 :]
    assert (below < 150).any() and (below[:, :24] > 200).all()


# ---- titles and facts


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("emoji-clip", "emoji-clip"),
        ("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"),
        ("/home/somebody/models/mine", "mine"),
        ("/mine/", "mine"),
        ("./mine", "mine"),
        ("../../models/mine", "mine"),
        ("~/mine", "mine"),
        ("models/of/mine", "mine"),
        (r"C:\Users\somebody\mine", "mine"),
        (r"models\mine", "mine"),
        ("C:/mine", "mine"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_readers_are_told_a_folders_last_part_only(name, shown):
    assert model_name(name) == shown


@pytest.mark.parametrize("width", [260, 420, 720])
def test_no_folders_path_is_in_a_picture(width):
    named, in_a_folder = (only((2, 2), {0: 1.0}, model=m) for m in ("mine", "/home/somebody/models/mine"))
    assert draw(named, width=width).tobytes() == draw(in_a_folder, width=width).tobytes()


@pytest.mark.parametrize("width", [260, 420, 720])
def test_nothing_is_cut_from_titles_and_facts(width):
    title = "What each part contributes, and a word of sixty letters: " + "x" * 60
    facts = ["9.36 with everything removed", "p = 0.5", "512 masked images", "faithfulness 0.93", "m" * 80]
    head = layout.lay_out_head(title, facts, width)
    room = width - 2 * layout.MARGIN
    for lines, size in ((head.title, layout.TITLE_TEXT), (head.facts, layout.FACT_TEXT)):
        assert all(drawing.text_width(line, size) <= room for line in lines)
    assert "".join(head.title).replace(" ", "") == title.replace(" ", "")
    told = "".join(head.facts)
    for fact in facts[:-1]:
        assert any(fact in line for line in head.facts), "a fact stands on one line if it fits"
    assert told.count("m") == 80 + "".join(facts[:-1]).count("m")


def test_the_picture_moves_down_below_a_title_of_several_lines():
    short, long = (draw(only((2, 2), {0: 1.0}), title=title) for title in ("one", "many " * 40))
    lines = round((long.height - short.height) / 2 / layout.TITLE_LINE)
    assert lines >= 2
    moved = long.crop((0, 2 * 82 + long.height - short.height, long.width, long.height - 30))
    assert moved.tobytes() == short.crop((0, 2 * 82, short.width, short.height - 30)).tobytes()


def test_lines_are_broken_between_words_first():
    def width(text):
        return drawing.text_width(text, 12)

    assert drawing.lines_of("one two", 12, width("one two") + 1) == ["one two"]
    assert drawing.lines_of("one two", 12, width("one two") - 1) == ["one", "two"]
    assert drawing.lines_of("onetwo", 12, width("one") + 1) == ["one", "two"]
    assert drawing.lines_of("猫", 12, 1) == ["猫"]
    assert drawing.lines_of("", 12, 10) == [""]


# ---- curves


def falling(name="falling", colour=drawing.POSITIVE, **options):
    return Line(name, [1.0, 0.75, 0.5, 0.25, 0.0], colour, **options)


def colours_along(picture, share):
    """Rows, from the top, at which a picture of 560 pixels has a curve's red or blue in the column of a share."""
    column = np.asarray(picture.convert("RGB"), int)[:, round(2 * (52 + (540 - 52) * share))]
    return [np.flatnonzero(np.abs(column - c).sum(axis=1) < 30) for c in (drawing.POSITIVE, drawing.NEGATIVE)]


def test_curves_lie_where_their_values_are():
    rising = Line("rising", [0.0, 0.25, 0.5, 0.75, 1.0], drawing.hex_of(drawing.NEGATIVE))
    picture = draw_curves([falling(), rising], title="Two curves", x_label="share")
    top, bottom = 2 * 78, 2 * 300
    for share in (0.2, 0.4, 0.8):
        red, blue = (rows[rows > 2 * 70].mean() for rows in colours_along(picture, share))
        assert red == pytest.approx(top + (bottom - top) * share, abs=4)
        assert blue == pytest.approx(bottom - (bottom - top) * share, abs=4)


def test_dashes_marks_and_labels_change_the_picture():
    def drawn(line, **options):
        return draw_curves([line], **({"title": "t", "x_label": "x"} | options))

    plain = drawn(falling())
    for other in (drawn(falling(dashed=True)), drawn(falling(), mark=0.5), drawn(falling(), x_label="other")):
        assert other.size == plain.size and other.tobytes() != plain.tobytes()
    labelled, wordless = drawn(falling(), y_label="similarity"), plain
    margin = (slice(160, 600), slice(0, 60))
    assert (np.asarray(labelled.convert("L"))[margin] < 120).any()
    assert not (np.asarray(wordless.convert("L"))[margin] < 120).any()


def test_a_long_title_and_a_long_key_make_the_picture_taller():
    few = draw_curves([falling()], title="t", x_label="x", width=320)
    assert draw_curves([falling()], title="many words " * 12, x_label="x", width=320).height > few.height
    many = [falling(f"curve number {k}, insertion") for k in range(6)]
    assert draw_curves(many, title="t", x_label="x", width=320).height > few.height
    assert draw_curves(many, title="t", x_label="x", width=900).height == few.height


def test_curves_may_have_shares_and_ticks_of_their_own():
    def drawn(x, **options):
        return draw_curves([falling(x=x)], title="t", x_label="x", **options)

    equal, late = drawn([0.0, 0.25, 0.5, 0.75, 1.0]), drawn([0.5, 0.6, 0.7, 0.8, 0.9])
    assert equal.tobytes() == draw_curves([falling()], title="t", x_label="x").tobytes()
    assert not colours_along(late, 0.3)[0][colours_along(late, 0.3)[0] > 2 * 70].size
    assert colours_along(late, 0.7)[0].max() == pytest.approx(2 * (78 + 222 / 2), abs=6)
    assert drawn(None, ticks={"few": 0.1, "many": 1.0}).tobytes() != equal.tobytes()
    for x in ([0.0, 1.0], [0.0, 0.5, 0.4, 0.7, 1.0]):
        with pytest.raises(ValueError, match="as many shares"):
            drawn(x)


def test_curves_that_do_not_vary_and_no_curves_at_all_are_drawn():
    assert draw_curves([], title="t", x_label="x").size == draw_curves([falling()], title="t", x_label="x").size
    flat = draw_curves([Line("flat", [5.0, 5.0], drawing.POSITIVE)], title="t", x_label="x", levels=[5.0])
    assert colours_along(flat, 0.5)[0].max() == pytest.approx(2 * (78 + 300) / 2, abs=4)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([1.0], {}, "lines: 'a' has 1 values, wanted at least two"),
        ([1.0, float("nan")], {}, "lines: 'a' has values that are not finite"),
        ([1.0, 2.0], {"mark": 2}, "mark: got 2, wanted a share from 0 to 1"),
        ([1.0, 2.0], {"levels": []}, "levels: got none"),
    ],
)
def test_curves_that_cannot_be_drawn_are_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        draw_curves([Line("a", y, "#000000")], title="t", x_label="x", **options)


# ---- options, words and numbers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"condition": "zebra"}, "player: 'zebra' is no player"),
        ({"players": np.ones(3, bool)}, r"players: got a mask of shape \(3,\), wanted \(9,\)"),
        ({"players": [99]}, "player: got 99"),
        ({"edges": -1}, "edges: got -1"),
        ({"scaling": "log"}, "scaling: got 'log'"),
        ({"scale": 0}, "scale: got 0"),
        ({"scale": float("nan")}, "scale: got nan"),
        ({"width": 10}, "width: got 10"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        draw(make(), **options)


def test_the_notebook_gets_a_sharp_picture_and_words():
    explanation = mosaic()
    data, metadata = explanation._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    shown = picture.convert("RGBA")
    assert shown.getpixel((0, 0))[3] == 0 and shown.getpixel((0, shown.height // 2))[3] == 255
    assert np.abs(np.asarray(shown, int) - np.asarray(draw(explanation), int))[100:-100].mean() < 2
    assert picture.size == (2 * metadata["image/png"]["width"], 2 * metadata["image/png"]["height"])
    assert data["text/plain"] == explanation.summary()
    again, _ = explanation.draw()._repr_mimebundle_()
    assert again["image/png"] == data["image/png"] and again["text/plain"] == alt_text(explanation)


def test_alt_text_names_the_strongest():
    strongest = mosaic().top(1)[0]
    text = alt_text(mosaic())
    assert f"{strongest.labels[1]} with {strongest.labels[0]} {drawing.signed(strongest.value)}" in text
    assert alt_text(mosaic().first_order()) != text
    row = mosaic().condition("cat")
    best = int(np.abs(row).argmax())
    assert f"Strongest: {mosaic().labels[best]} {drawing.signed(row[best])}" in alt_text(mosaic(), "cat")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.0001, "0"), (0.0421, "+0.042"), (-1.314, "-1.31"), (12.36, "+12.4")]
)
def test_numbers_carry_their_sign(value, text):
    assert drawing.signed(value) == text


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (0.0123, None, "+0.012"),
        (0.0123, 0.0031, "+0.0123 ± 0.0031"),
        (0.0123, 0.0041, "+0.012 ± 0.004"),
        (-0.0041, 0.0008, "-0.0041 ± 0.0008"),
        (-0.0142, 0.0042, "-0.014 ± 0.004"),
        (1.3149, 0.0996, "+1.31 ± 0.10"),
        (1.3149, 0.0999, "+1.31 ± 0.10"),
        (1.3149, 0.0354, "+1.315 ± 0.035"),
        (1.3149, 0.0356, "+1.31 ± 0.04"),
        (-23.46, 1.24, "-23.5 ± 1.2"),
        (-23.46, 124.0, "-23 ± 124"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (0.0, 0.5, "0.0 ± 0.5"),
        (0.1234, 0.0, "+0.12 ± 0"),
        (0.1234, 1e-17, "+0.123400 ± 1e-17"),
        (0.1234, float("inf"), "+0.12 ± inf"),
    ],
)
def test_a_value_has_the_decimals_that_its_error_leaves_it(value, stderr, text):
    assert drawing.with_error(value, stderr) == text


def test_no_error_is_rounded_away_and_no_value_gets_more_than_its_error(rng):
    for value, stderr in zip(rng.normal(size=200), 10 ** rng.uniform(-5, 2, 200), strict=True):
        told, error = drawing.with_error(float(value), float(stderr)).split(" ± ")
        assert float(error) == pytest.approx(stderr, rel=0.15)
        assert len(told.partition(".")[2]) == len(error.partition(".")[2])
        assert len(error.replace(".", "").lstrip("0")) <= max(2, len(error.partition(".")[0]))


def test_colours_are_written_as_pages_want_them():
    assert drawing.hex_of(drawing.POSITIVE) == "#b2182b"
    assert drawing.hex_of(drawing.NEGATIVE) == "#2166ac"
    assert drawing.hex_of((0, 7, 255)) == "#0007ff"


def test_ninety_per_cent_of_normal_errors_lie_within_the_interval():
    from scipy.stats import norm

    assert norm.cdf(drawing.INTERVAL) - norm.cdf(-drawing.INTERVAL) == pytest.approx(0.9, abs=1e-4)


def test_ink_reads_on_every_colour():
    def luminance(colour):
        c = np.array(colour) / 255
        return np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for share in np.linspace(-1, 1, 41):
        background = drawing.colour_of(share)
        light, dark = sorted((luminance(background), luminance(drawing.ink_on(background))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.2


# ---- cells


def test_cells_are_red_above_zero_and_blue_below():
    table = np.array([[2.0, -2.0, 0.0], [0.0, 1.0, 2.0]])
    names = {"rows": ["a", "b"], "columns": ["x", "y", "z"]}
    image = np.asarray(draw_cells(table, title="t", width=400, **names).convert("RGB"), int)
    red, blue = ((np.abs(image - c).sum(axis=2) < 6) for c in (drawing.POSITIVE, drawing.NEGATIVE))
    third = image.shape[1] / 3
    assert np.flatnonzero(blue.any(axis=0)).min() > third and np.flatnonzero(blue.any(axis=0)).max() < 2.3 * third
    assert np.flatnonzero(red.any(axis=0)).min() < third and np.flatnonzero(red.any(axis=0)).max() > 2.3 * third
    assert np.flatnonzero(blue.any(axis=1)).max() < np.flatnonzero(red.any(axis=1)).max()


def test_cells_over_a_picture_cover_only_what_has_a_value():
    table = np.zeros((2, 3))
    table[1, 0] = 1.0
    scene = Image.new("RGB", (90, 60), (10, 200, 10))
    image = np.asarray(draw_cells(table, title="t", image=scene, width=400).convert("RGB"), int)
    tinted = (image[..., 0] > 120) & (image[..., 1] < 120)
    bare = np.abs(image - (10, 200, 10)).sum(axis=2) < 6
    assert bare.sum() == pytest.approx(5 * tinted.sum(), rel=0.05)
    assert np.flatnonzero(tinted.any(axis=0)).max() < image.shape[1] / 2


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [(np.zeros(3), {}, "got shape"), (np.full((1, 1), np.nan), {}, "finite"), (np.zeros((2, 2)), {}, "names: got 0")],
)
def test_cells_that_make_no_table_are_refused(values, names, message):
    with pytest.raises(ValueError, match=message):
        draw_cells(values, title="t", **names)


# ---- third order


def with_triples(second, numbers):
    """The explanation of third order with these triples, {three players: number}."""
    triples = np.zeros((second.n_players,) * 3)
    for players, number in numbers.items():
        for order in itertools.permutations(second.find_all(players)):
            triples[order] = number
    return refine(second, triples)


def test_a_picture_of_two_words_shows_their_triples_with_every_patch():
    grid = (3, 5)
    third = with_triples(only(grid, {1: 2.0}), {("cat", "dog", 3): 0.6, ("cat", "dog", 10): -0.6, ("cat", 3, 7): 5.0})
    picture = draw(third, condition=("cat", "dog"), scale=0.6)
    red, blue, other = (patch_colour(picture, grid, *divmod(k, 5)) for k in (3, 10, 7))
    assert red[0] > red[2] + 60 and blue[2] > blue[0] + 60 and np.ptp(other) < 10
    assert (
        picture.tobytes() == draw(third, condition=["cat", 16], scale=0.6, title=title(third, "cat", "dog")).tobytes()
    )
    one = draw(third, condition="cat")
    assert one.tobytes() == draw(third.second_order(), condition="cat").tobytes(), "as ever with one word"
    assert picture.height == one.height + 2 * 15, "a line in the legend says what the numbers are"


def title(explanation, *labels):
    return words.default_title(explanation, explanation.find_all(labels), np.ones(explanation.n_players, bool))


def test_the_words_of_two_words_say_what_is_shown():
    third = with_triples(only((3, 5), {1: 2.0}), {("cat", "dog", 3): 0.6, ("cat", "dog", 10): -0.7})
    assert title(third, "cat", "dog") == "What makes \u201ccat\u201d and \u201cdog\u201d go together"
    said = third.draw(condition=("cat", "dog")).words
    assert said == alt_text(third, ("cat", "dog")) and said.startswith(
        "Triples with \u201ccat\u201d and \u201cdog\u201d in "
    )
    assert said.endswith(
        "The numbers say how much the interaction of \u201ccat\u201d and \u201cdog\u201d grows when a part joins, on "
        "average over what else is present. Strongest: patch 3,1 -0.70; patch 1,4 +0.60."
    )
    scores = replace(third, index="scores", unit="scores")
    assert "grows" not in alt_text(scores, ("cat", "dog")) and "Scores of triples" in title(scores, "cat", "dog")


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_legend_says_of_triples_what_is_so(rng, p):
    """By enumeration: how much the interaction of two players grows when a third one joins, on average at p."""
    game, n = TableGame(rng.normal(size=2**6), 4, 2), 6
    third = exact(game, p, order=3)

    def value(*present):
        return game(np.isin(np.arange(n), present)[None])[0]

    for player in range(4):
        others, average = [k for k in range(4) if k != player], 0.0
        for size in range(4):
            for there in itertools.combinations(others, size):
                interaction = [
                    value(*s, 4, 5) - value(*s, 4) - value(*s, 5) + value(*s) for s in (there, (*there, player))
                ]
                average += p**size * (1 - p) ** (3 - size) * (interaction[1] - interaction[0])
        assert third.condition((4, 5))[player] == pytest.approx(average, abs=1e-10)


def test_without_a_condition_third_order_is_drawn_as_second_order_is():
    second = mosaic()
    rng = np.random.default_rng(0)
    numbers = {tuple(rng.choice(53, 3, replace=False).tolist()): 0.3 for _ in range(200)}
    third = with_triples(second, numbers)
    assert not np.allclose(third.interactions, second.interactions), "coefficients are others, averages are not"
    for options in ({}, {"players": [0, 8, 9, "cat", "ball"], "title": "some"}, {"condition": "ball"}):
        assert draw(third, **options).tobytes() == draw(second, **options).tobytes()
    assert compare(third, third, names=("a", "b"), condition=("cat", "ball")).words.count("Triples with") == 3


@pytest.mark.parametrize(
    ("order", "condition", "message"),
    [
        (
            2,
            ("cat", "dog"),
            "condition: got two players, which takes an explanation of order 3; this one is of order 2",
        ),
        (3, ("cat", "cat"), "condition: got players .*, wanted one or two different ones"),
        (3, ("cat", "dog", 0), "condition: got players .*, wanted one or two different ones"),
        (3, (), "condition: got players .*, wanted one or two different ones"),
        (3, ("cat", "cow"), "player: 'cow' is no player"),
    ],
)
def test_conditions_that_do_not_fit_are_said_in_a_sentence(order, condition, message):
    explanation = only((2, 2), {0: 1.0})
    explanation = explanation if order == 2 else with_triples(explanation, {(0, 4, 5): 1.0})
    for tell in (draw, alt_text):
        with pytest.raises(ValueError, match=message):
            tell(explanation, condition=condition)
