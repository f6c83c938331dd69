"""Scores are no logits: what is said and drawn of numbers that no average over coalitions stands behind."""

import dataclasses
import json
from html import unescape

import numpy as np
import pytest
from toys import make, mosaic

import fixlip
from fixlip import Explanation
from fixlip.claims import CAUTION, Level
from fixlip.pictures import alt_text, compare, drawing
from fixlip.pictures.report import html
from fixlip.pictures.words import default_title
from fixlip.scores import DOUBT
from fixlip.subject import Origin

UNIT = "scores of exCLIP, in a unit of its own: they rank, and predict no similarity"


def scored(base=None, factor=1e-3, **changes):
    """A toy's numbers as scores, small as exCLIP's are."""
    base = mosaic() if base is None else base
    own = {"index": "scores", "unit": "scores", "p": 0.5, "constant": 0.0, "estimator": "exCLIP"}
    numbers = {name: factor * getattr(base, name) for name in ("attributions", "interactions")}
    passes = {"budget": 16, "counts": "forward and backward passes"}
    return dataclasses.replace(base, **(own | numbers | passes | changes))


def in_logits(**changes):
    """Numbers like occlusion's: logits, first order, by a rule of their own."""
    own = {"index": "scores", "p": 0.5, "order": 1, "interactions": np.zeros((9, 9)), "estimator": "occlusion"}
    return make(**(own | changes))


def title(explanation, inside=None):
    return default_title(explanation, None, np.ones(explanation.n_players, bool) if inside is None else inside)


def said(explanation):
    """All texts about an explanation: summary, alt texts, report with its pictures' words, title, facts, repr."""
    bundle, _ = explanation._repr_mimebundle_()
    texts = [explanation.summary(), alt_text(explanation), explanation.draw().words, unescape(html(explanation))]
    words = alt_text(explanation, explanation.n_players - 1)
    return [*texts, bundle["text/plain"], title(explanation), " ".join(explanation.facts()), repr(explanation), words]


def told(explanation, monkeypatch, **options):
    """All texts in a picture."""
    found, text = [], drawing.Sheet.text

    def record(sheet, at, shown, *rest, **more):
        found.append(shown)
        text(sheet, at, shown, *rest, **more)

    monkeypatch.setattr(drawing.Sheet, "text", record)
    explanation.draw(**options)
    return found


# ---- words


@pytest.mark.parametrize("order", [1, 2])
def test_scores_are_never_called_contributions_logits_or_averages(order):
    explanation = scored() if order == 2 else scored(mosaic().first_order())
    for text in said(explanation):
        text = text.replace("similarity of the pair (logit)", "")
        for word in ("contribut", "logit", "p = 0.5", "p=0.5", "probability", "on average", "interaction", "together"):
            assert word not in text.split("<body>")[-1], word
    assert UNIT in explanation.facts() and f"numbers: {UNIT}; 1.00 stands for 0.000975" in explanation.summary()
    assert explanation.summary().startswith(
        'What exCLIP finds relevant for the similarity of the image and "cat banana tractor ball" in toy ('
    )
    assert title(explanation) == "Similarity 27.32: what exCLIP finds relevant"
    assert f"The numbers are {UNIT}." in alt_text(explanation) and UNIT in unescape(html(explanation))
    assert repr(explanation).endswith(f"49 + 4 players, scores of exCLIP, order {order})")


def test_values_in_logits_without_an_average_are_not_called_one():
    explanation = in_logits()
    rule = "logits by the rule of occlusion, no averages over what else is present"
    for text in said(explanation):
        text = text.replace("no averages", "").split("<body>")[-1]
        for word in ("contribut", "p = 0.5", "probability", "average", "unit of its own"):
            assert word not in text, word
    assert rule in explanation.facts() and rule in alt_text(explanation) and rule in unescape(html(explanation))
    assert "values of words (logits):" in explanation.summary()
    assert explanation.predicts and explanation.largest is None
    strongest = explanation.top(1, kind="players")[0]
    assert f"{strongest.labels[0]} {drawing.signed(strongest.value)}" in alt_text(explanation), "as they are"
    masks = np.eye(9, dtype=bool)
    np.testing.assert_allclose(explanation.predict(masks), 1.25 + explanation.attributions)
    assert repr(explanation).endswith("occlusion, in logits, order 1)")


def test_a_method_without_a_name_is_this_method():
    assert title(scored(estimator="")) == "Similarity 27.32: what this method finds relevant"


def test_a_metagame_keeps_its_p():
    explanation = scored(index="banzhaf", p=0.3)
    assert "p = 0.3" in explanation.facts() and "p = 0.3" in explanation.summary() and UNIT in explanation.facts()
    assert repr(explanation).endswith("banzhaf of exCLIP, order 2, p=0.3)")


# ---- numbers


def test_small_scores_are_told_relative_to_the_largest():
    """Whatever the unit: a method that divides by a thousand says the same."""
    one, other = scored(), scored(factor=2.0)
    assert one.largest == pytest.approx(max(np.abs(one.values).max(), np.abs(one.interactions).max()))
    assert alt_text(one) == alt_text(other) and "ball +1.00" in alt_text(one)
    assert one.summary().replace("0.000975", "1.95") == other.summary()
    np.testing.assert_array_equal(np.asarray(one.draw().image), np.asarray(other.draw().image))
    assert one.told(one.largest) == "+1.00" and one.told(-one.largest / 4) == "-0.25" and one.told(0.0) == "0"
    assert one.told(one.largest, one.largest / 10) == "+1.00 \u00b1 0.10"


@pytest.mark.parametrize(
    ("share", "text"), [(0.42, "+0.42"), (0.042, "+0.042"), (3e-4, "+0.00030"), (-2e-6, "-2.0e-06")]
)
def test_nothing_but_zero_is_told_as_zero(share, text):
    assert drawing.tell(7 * share, None, 7.0) == text


def test_one_side_may_be_a_million_times_smaller():
    scores = np.r_[np.linspace(1e-7, 2e-7, 6), 0.1, 0.2, 0.3]
    explanation = Explanation.from_heatmap(scores[:6], make(), text=scores[6:])
    assert not any(explanation.claims.idle) and len(explanation.top(9, kind="players")) == 9
    assert "patch 2,3" in explanation.summary() and "+6.7e-07" in explanation.summary()


def test_the_picture_says_relative_to_the_largest(monkeypatch):
    texts = told(scored(), monkeypatch)
    assert "relative to the largest" in texts and "logits" not in texts and "+1.00" in texts
    assert {"positive", "negative"} <= set(texts) and not {"raises more", "raises less"} & set(texts)
    texts = told(mosaic(), monkeypatch)
    assert "logits" in texts and "relative to the largest" not in texts and "raises more" in texts
    texts = told(in_logits(), monkeypatch)
    assert "logits" in texts and "relative to the largest" not in texts


def test_one_word_and_a_part_are_told_as_what_they_are(monkeypatch):
    explanation = scored()
    texts = told(explanation, monkeypatch, condition="cat")
    assert "Scores of pairs with \u201ccat\u201d" in texts
    assert f"+{explanation.condition('cat').max() / explanation.largest:.2f}" in texts, "relative to the largest of all"
    words = alt_text(explanation, "cat")
    assert words.startswith("Scores of pairs with \u201ccat\u201d") and "Strongest, relative to the largest:" in words
    assert "3 of 53 players" in told(explanation, monkeypatch, players=[0, 1, 49]), "and no predicted similarity"
    with pytest.raises(ValueError, match="coefficients: scores of exCLIP are no coefficients of a prediction"):
        explanation.draw(coefficients=True)


# ---- what may be claimed


def test_a_pair_below_nothing_is_remarked_upon_and_nothing_else_is_claimed():
    below = scored(full_value=3.0)
    (remark,) = below.remarks()
    assert remark == "The similarity of the pair is below that of nothing: 3.00, against 12.10 with everything removed."
    assert title(below).startswith("Similarity 3.00, less than with everything removed: what exCLIP finds")
    for text in said(below)[:5]:
        assert remark in text
    assert scored().remarks() == () and scored().claims.level is Level.ABOVE
    unknown = scored(full_value=float("nan"), empty_value=float("nan"))
    assert unknown.remarks() == () and title(unknown) == "Similarity not known: what exCLIP finds relevant"


def test_large_scores_are_no_yardstick_for_the_pair():
    """Numbers of another unit, a thousand times larger, must not make two similarities alike."""
    assert scored(factor=1e6, full_value=3.0).claims.level is Level.BELOW
    assert in_logits(attributions=np.full(9, 100.0)).claims.level is Level.ABOVE
    assert scored(full_value=12.101).claims.level is Level.ALIKE, "the two read the same"


@pytest.mark.parametrize(
    ("kept", "remarks", "shown"),
    [
        (slice(0, 0), ("patch", "word"), "exCLIP finds nothing relevant"),
        (slice(0, 49), ("word",), "what exCLIP finds relevant in the image, and nothing in the caption"),
        (slice(49, 53), ("patch",), "what exCLIP finds relevant in the caption, and nothing in the image"),
    ],
)
def test_a_method_that_gives_zeros_abstains_and_is_drawn_all_the_same(kept, remarks, shown):
    mask = np.zeros(53)
    mask[kept] = 1
    base = mosaic().first_order()
    explanation = scored(base, attributions=1e-3 * base.attributions * mask)
    sides = {"patch": "image", "word": "caption"}
    expected = [f"The score of every {one} is zero: exCLIP abstains on the {sides[one]}." for one in remarks]
    assert list(explanation.remarks()) == expected
    assert title(explanation) == f"Similarity 27.32: {shown}"
    with np.errstate(all="raise"):
        for text in said(explanation)[:5]:
            assert (
                all(remark in text for remark in expected) and "nan" not in text.replace("banana", "").split("<img")[0]
            )
        picture = np.asarray(explanation.draw().image)
        compare(explanation, mosaic())
        compare(explanation, explanation, names=("one", "two"))
    assert picture.std() > 0 and (explanation.largest == 1.0) == (len(remarks) == 2)


def test_a_side_whose_pairs_have_scores_does_not_abstain():
    pairs = np.zeros((53, 53))
    pairs[0, 50] = pairs[50, 0] = 1e-3
    pairs[0, 51] = pairs[51, 0] = -1e-3  # half of each is the value of a patch: zero
    explanation = scored(attributions=np.zeros(53), interactions=pairs)
    assert not explanation.values[:49].any() and explanation.claims.idle == (False, False)


def test_scores_are_not_called_faithful():
    origin = Origin("toy", "", "zero", "", "toy does not know \u201cdog\u201d.")
    subject = dataclasses.replace(mosaic().subject, origins=(None, origin))
    explanation = scored(subject=subject)
    assert explanation.remarks() == (origin.note, DOUBT)
    assert CAUTION not in " ".join(said(explanation)) and "faithful" not in explanation.summary()


# ---- what scores are not


def test_what_predicts_nothing_says_so():
    explanation, masks = scored(), np.ones((1, 53), bool)
    message = "scores of exCLIP are no logits and predict no similarity; totals"
    with pytest.raises(ValueError, match=f"predict: {message}"):
        explanation.predict(masks)
    with pytest.raises(ValueError, match=f"average: {message}"):
        explanation.average  # noqa: B018
    with pytest.raises(ValueError, match=message):
        (explanation - scored(factor=2.0)).predict(masks)
    assert explanation.totals(masks) == pytest.approx(
        explanation.attributions.sum() + explanation.interactions.sum() / 2
    )


def test_nothing_is_lost_or_counted_twice_in_first_order_and_parts():
    explanation, everything = scored(), np.ones((1, 53), bool)
    first = explanation.first_order()
    assert first.totals(everything) == pytest.approx(explanation.totals(everything))
    assert (first.unit, first.index, first.estimator) == ("scores", "scores", "exCLIP")
    part = explanation.restrict(range(49, 53))
    assert part.unit == "scores" and not part.whole and part.remarks() == ()
    best = explanation.highest(5)
    assert best.sum() == 5 and explanation.totals(best[None])[0] == pytest.approx(explanation.subsets.highest_values[4])


@pytest.mark.parametrize("changes", [{}, {"index": "banzhaf", "p": 0.4}])
def test_shapiq_has_no_name_for_scores(changes):
    with pytest.raises(ValueError, match="to_shapiq: the numbers of exCLIP are no Banzhaf or Shapley interactions"):
        scored(**changes).to_shapiq()
    with pytest.raises(ValueError, match="to_shapiq: the numbers of occlusion are no"):
        in_logits().to_shapiq()


# ---- two of them


def test_only_numbers_of_one_unit_are_subtracted():
    exclip, other = scored(), scored(estimator="GAME")
    with pytest.raises(ValueError, match="difference: got scores of exCLIP and logits, wanted both in one unit"):
        exclip - mosaic()
    with pytest.raises(ValueError, match="difference: got logits and scores of exCLIP"):
        mosaic() - exclip
    with pytest.raises(ValueError, match="difference: got scores of exCLIP and scores of GAME"):
        exclip - other
    difference = exclip - scored(factor=3e-3, full_value=20.0)
    np.testing.assert_allclose(difference.values, -2 * exclip.values)
    assert difference.headline == "Difference +7.32" and UNIT in difference.facts() and not difference.predicts
    assert "logits" not in alt_text(difference) and "contributions" not in alt_text(difference)
    assert (
        difference.table()["unit"][0] == "scores of exCLIP" and difference.first_order().unit_name == "scores of exCLIP"
    )
    mixed = make(0.5) - in_logits()
    assert "contributions" not in alt_text(mixed) and "Strongest differences: " in alt_text(mixed)
    assert make(0.2) - make(0.4) and "Strongest contributions: " in alt_text(make(0.2) - make(0.4))


def test_different_units_are_compared_each_on_its_own_scale(monkeypatch):
    """No difference is drawn, and neither makes the other pale."""
    drawn = compare(mosaic(), scored())
    assert "minus" not in drawn.words and "exCLIP: Similarity 27.32" in drawn.words
    alone = compare(scored(), scored(factor=1.0, estimator="GAME"))
    again = compare(scored(factor=1.0), scored(factor=1.0, estimator="GAME"))
    np.testing.assert_array_equal(np.asarray(alone.image), np.asarray(again.image))
    widths = [compare(*pair).image.width for pair in ((mosaic(), scored()), (scored(), scored(factor=2.0)))]
    assert widths[1] > 1.4 * widths[0], "the third picture is the difference"


def test_scores_of_one_method_are_compared_on_one_scale():
    first, second = scored(), scored(factor=2e-3)
    words = compare(first, second).words.splitlines()
    assert "ball +0.50" in words[0] and "ball +1.00" in words[1] and "ball -0.50" in words[2]
    assert all("relative to the largest of all" in line for line in words)


def test_methods_are_told_apart_by_their_names_not_by_a_p_that_they_lack():
    from fixlip.pictures.comparison import differing

    assert differing(mosaic(p=0.3), scored()) == ("by hand", "exCLIP")
    assert differing(in_logits(), make(0.4).first_order()) == ("occlusion", "by hand")


# ---- tables and files


def test_a_table_says_its_unit_and_loses_no_digit():
    explanation = scored()
    table = explanation.table("players")
    assert set(table["unit"]) == {"scores of exCLIP"} and sorted(table["value"]) == sorted(explanation.values)
    assert set(mosaic().table("pairs")["unit"]) == {"logits"} == set(in_logits().table()["unit"])


def test_the_unit_is_saved_and_old_files_are_in_logits(tmp_path):
    explanation = scored()
    loaded = Explanation.load(explanation.save(tmp_path / "scores.npz"))
    assert (loaded.unit, loaded.index, loaded.estimator) == ("scores", "scores", "exCLIP")
    assert loaded.summary() == explanation.summary() and loaded.counts == "forward and backward passes"
    path = make().save(tmp_path / "old.npz")
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(str(arrays["facts"]))
    assert facts.pop("unit") == "logits"
    arrays["facts"] = np.array(json.dumps(facts))
    np.savez_compressed(path, **arrays)
    assert Explanation.load(path).unit == "logits" and Explanation.load(path).summary() == make().summary()


def test_every_baseline_is_said_and_drawn_as_what_it_is():
    from fixlip.methods import METHODS

    encoder, scene = fixlip.load("emoji-clip"), fixlip.emoji.scene(7)
    for name in [name for name, method in METHODS.items() if method.indices == ("scores",)]:
        explanation = fixlip.explain(encoder, scene.image, scene.caption, estimator=name, progress=False)
        for text in said(explanation):
            assert "contribut" not in text.split("<body>")[-1] and "p = 0.5" not in text, name
        assert explanation.summary().startswith(f"What {explanation.estimator} finds relevant"), name
