"""Experiments on planted faults: scores of explanations that are known, the runs, the pages."""

import csv
import dataclasses
from itertools import product

import numpy as np
import pytest

import fixlip
from fixlip.__main__ import main
from fixlip.emoji import FAULTS, planted_scene
from fixlip.experiments import planted_columns as columns
from fixlip.experiments import planted_report
from fixlip.experiments.bench import DRAWN_AT, Bench, Made
from fixlip.experiments.datasets import FIRST_SCENE
from fixlip.experiments.planted_scores import Binding, Evidence, auroc, found_first
from fixlip.experiments.runner import run
from fixlip.experiments.settings import (
    FIXLIP,
    FIXLIP_3,
    METHODS,
    THIRD_ORDER,
    VALUES,
    WORD_BY_WORD,
    Settings,
    methods_of,
)
from fixlip.subject import Subject

GRID = (2, 3)
N_IMAGE, TOKENS = 6, ("a", "red", "fish", "and", "a", "blue", "key")
SUBJECT = Subject(N_IMAGE, len(TOKENS), tuple(f"patch {k}" for k in range(N_IMAGE)) + TOKENS, GRID)
N = SUBJECT.n_players
RED, FISH, BLUE, KEY = (N_IMAGE + k for k in (1, 2, 5, 6))
TERMS = [(0, RED, FISH), (1, RED, FISH), (5, BLUE, KEY)]
ASKED = Binding.of(TERMS, N_IMAGE, (FISH, KEY))
THIRD_OF_METAGAME = "metagame of Grad-ECLIP, third order (Shapley interactions)"


@pytest.fixture
def few_methods(monkeypatch):
    """Enough for most tests."""
    for name in METHODS.keys() - {FIXLIP, VALUES, "Grad-ECLIP"}:
        monkeypatch.delitem(METHODS, name)
    for name in THIRD_ORDER.keys() - {FIXLIP_3, THIRD_OF_METAGAME}:
        monkeypatch.delitem(THIRD_ORDER, name)


@pytest.fixture
def one_model(monkeypatch):
    """A model in two roles, which no method can tell apart."""
    for experiment in columns.MODELS:
        monkeypatch.setitem(columns.MODELS, experiment, ("emoji-clip", "emoji-clip"))


def first_order(patches):
    values = np.zeros(N)
    values[:N_IMAGE] = patches
    return fixlip.Explanation(0.0, values, np.zeros((N, N)), SUBJECT, order=1)


def second_order(pairs):
    """From {(player, player): value}."""
    found = np.zeros((N, N))
    for (i, j), value in pairs.items():
        found[i, j] = found[j, i] = value
    return fixlip.Explanation(0.0, np.zeros(N), found, SUBJECT)


def third_order(triples):
    found = np.zeros((N, N, N))
    for (i, j, k), value in triples.items():
        for one in ((i, j, k), (i, k, j), (j, i, k), (j, k, i), (k, i, j), (k, j, i)):
            found[one] = value
    return fixlip.Explanation(0.0, np.zeros(N), np.zeros((N, N)), SUBJECT, order=3, triples=found)


def by_counting(values, is_planted):
    """Share of pairs of a planted and another term in which the planted one is higher, by the definition."""
    pairs = list(product(values[is_planted], values[~is_planted]))
    return np.mean([(a > b) + (a == b) / 2 for a, b in pairs])


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---- scores of what is known


def test_areas_count_pairs_and_ties_half():
    rng = np.random.default_rng(0)
    values, planted = rng.integers(0, 4, (5, 6)).astype(float), rng.random((5, 6)) < 0.3
    assert auroc(values, planted) == pytest.approx(by_counting(values, planted), abs=1e-12)
    assert auroc(planted * 1.0, planted) == 1 and auroc(-1.0 * planted, planted) == 0
    assert auroc(np.zeros((5, 6)), planted) == 0.5


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([3, 1, 2], 1),
        ([1, 1, 2], 0),
        ([2, 2, 2], 1 / 3),
        ([2, 2, 1], 1 / 2),
        ([-1, -2, -3], 0),  # nothing is evidence for
        ([0, 0, 0], 1 / 3),  # nothing is said
        ([0, 0, -1], 0),
    ],
)
def test_found_first_is_the_strongest_positive_term(values, found):
    assert found_first(np.array(values, float), np.array([True, False, False])) == pytest.approx(found)


def test_a_map_of_the_planted_patches_is_right_and_its_inverse_wrong():
    asked = Evidence.of([(0, FISH), (4, FISH)], N_IMAGE)
    right = np.array([2, 0, 0, 0, 1, 0.0])
    assert asked.chance == pytest.approx(1 / 3)
    scores = asked.scores(first_order(right))
    assert (scores["patches"], scores["first"]) == (1, 1) and np.isnan(scores["pairs"])
    scores = asked.scores(first_order(-right))
    assert (scores["patches"], scores["first"]) == (0, 0)
    # Second order is asked about the word; what other words say of patches counts for pairs alone.
    right_pairs = {(k, FISH): value for k, value in enumerate(right)}
    assert asked.scores(second_order(right_pairs)) == {"patches": 1, "first": 1, "pairs": 1}
    other = asked.scores(second_order(right_pairs | {(2, KEY): 5.0}))
    assert (other["patches"], other["first"]) == (1, 1)
    assert other["pairs"] == pytest.approx(1 - 1 / (N_IMAGE * len(TOKENS) - 2))
    elsewhere = asked.scores(second_order({(k, KEY): value for k, value in enumerate(right)}))
    assert (elsewhere["patches"], elsewhere["first"]) == (0.5, pytest.approx(1 / 3))


def test_planted_triples_are_told_from_those_with_the_wrong_colour():
    assert (ASKED.colours, ASKED.nouns) == ((RED, BLUE), (FISH, KEY))
    assert ASKED.chance == pytest.approx(3 / (4 * N_IMAGE))
    right = dict.fromkeys(TERMS, 2.0)
    scores = ASKED.scores(third_order(right))
    assert [scores[name] for name in ("triples", "first", "crossed", "bound")] == [1, 1, 1, 2]
    scores = ASKED.scores(third_order({term: -value for term, value in right.items()}))
    assert [scores[name] for name in ("triples", "first", "crossed", "bound")] == [0, 0, 0, -2]
    # Right words and the other's patches: among all triples a mistake, and nothing about colours.
    scores = ASKED.scores(third_order({(5, RED, FISH): 1.0, (0, BLUE, KEY): 1.0}))
    assert scores["triples"] < 0.5 and (scores["first"], scores["crossed"], scores["bound"]) == (0, 0.5, 0)
    assert ASKED.scores(third_order(right))["together"] == pytest.approx(2 / 2)
    # A colour that does as much beside either object's word is no binding: a colour seen in its place.
    seen = {(0, RED, FISH): 1.0, (0, RED, KEY): 1.0, (5, BLUE, KEY): 1.0, (5, BLUE, FISH): 1.0}
    assert ASKED.scores(third_order(seen))["bound"] > 0 == ASKED.scores(third_order(seen))["together"]
    # Wrong colours on the right object.
    scores = ASKED.scores(third_order({(0, BLUE, FISH): 1.0, (1, BLUE, FISH): 1.0, (5, RED, KEY): 1.0}))
    assert (scores["first"], scores["crossed"], scores["bound"]) == (0, 0, -1)


def test_lower_orders_make_their_best_guess():
    patches = np.arange(6.0) ** 1.7
    scores = ASKED.scores(first_order(patches))
    assert (scores["crossed"], scores["bound"]) == (0.5, 0) and np.isnan(scores["words"])
    four = np.broadcast_to(patches, (2, 2, N_IMAGE))
    assert scores["triples"] == pytest.approx(by_counting(four, ASKED.is_planted))
    # Colours and objects each in their place: a pair of pairs, added, is right; a bag of words has that, too.
    pairs = {(0, RED): 1.0, (1, RED): 1.0, (5, BLUE): 1.0, (0, FISH): 1.0, (1, FISH): 1.0, (5, KEY): 1.0}
    words = {(RED, FISH): 0.7, (BLUE, KEY): 0.5, (RED, KEY): 0.2, (BLUE, FISH): -0.4}
    scores = ASKED.scores(second_order(pairs | words))
    assert [scores[name] for name in ("triples", "first", "crossed", "bound")] == [1, 1, 1, 1]
    assert scores["words"] == pytest.approx((0.7 + 0.5 - 0.2 + 0.4) / 2)


def test_the_control_asks_about_the_same_words_where_they_do_not_belong_together():
    # In "a blue fish and a red key" the colours stand in each other's place.
    swapped = dataclasses.replace(ASKED, colours=(BLUE, RED))
    foil = third_order({(0, BLUE, FISH): -1.0, (1, BLUE, FISH): -1.0, (5, RED, KEY): 0.5, (5, BLUE, KEY): 9.0})
    assert ASKED.control(third_order(dict.fromkeys(TERMS, 2.0)), swapped, foil) == pytest.approx(2 + 1.5 / 3)
    one = first_order(np.arange(6.0))
    assert ASKED.control(one, swapped, one) == 0


# ---- runs


@pytest.mark.parametrize("fault", FAULTS)
def test_rows_are_what_the_library_says(fault, tmp_path, few_methods):
    experiment = f"planted-{fault}"
    rows = read(run(Settings(experiment, ps=(0.4,), budget=24), limit=1, out=tmp_path, progress=False))
    assert [row["method"] for row in rows if row["p"] == "0.4"] == [FIXLIP, VALUES, FIXLIP_3]
    scene = planted_scene(fault, FIRST_SCENE)
    game = fixlip.Game(fixlip.load("emoji-clip"), scene.image, scene.caption)
    samples = fixlip.sample(game, 24, DRAWN_AT, seed=0, progress=False)
    found = {order: samples.explain(0.4, order=order) for order in (1, 2, 3)}
    terms, n = scene.terms(game, game.grid), game.n_image
    names = [name.strip() for name in game.labels]
    if fault == "binding":
        colours, nouns = ([n + names[n:].index(word) for word in scene.words[k::2]] for k in (0, 1))
        keys = [(patch, *sorted((c, o))) for c in colours for o in nouns for patch in range(n)]
        numbers = np.array([found[3].triples[key] for key in keys])
        score, by = "triples", {FIXLIP_3: numbers}
        by[FIXLIP] = np.array([found[2].interactions[k, i] + found[2].interactions[k, j] for k, i, j in keys])
        by[VALUES] = np.array([found[1].values[k] for k, _, _ in keys])
        other = game.with_text(scene.foil)
    else:
        keys = [(patch, terms[0][1]) for patch in range(n)]
        score, by = "patches", {FIXLIP: np.array([found[2].interactions[key] for key in keys])}
        by |= {FIXLIP_3: by[FIXLIP], VALUES: found[1].values[:n]}
        other = fixlip.Game(game.encoder, scene.twin, scene.caption)
    planted = np.array([key in terms for key in keys])
    effect = game(np.ones((1, game.n_players), bool))
    effect = float(effect[0]) - float(other(np.ones((1, other.n_players), bool))[0])
    if fault == "binding":
        moved = samples.with_caption(other, progress=False).explain(0.4, order=3)
        at = [other.labels.index(word) for word in scene.words]
        places = dict(zip([n + names[n:].index(word) for word in scene.words], at, strict=True))
        control = np.mean([found[3].triples[k, i, j] - moved.triples[k, places[i], places[j]] for k, i, j in terms])
        (row,) = (row for row in rows if row["method"] == FIXLIP_3)
        assert float(row["control"]) == pytest.approx(control, abs=1e-5)
    for row in rows:
        assert float(row["chance"]) == pytest.approx(planted.mean(), abs=1e-5)
        assert float(row["effect"]) == pytest.approx(effect, abs=1e-3)
        if row["method"] in by:
            assert float(row[score]) == pytest.approx(by_counting(by[row["method"]], planted), abs=1e-5)
            assert float(row["cost"]) == 24 + 2**game.n_text


def test_what_says_nothing_counts_as_chance_and_is_counted(tmp_path, monkeypatch, few_methods, one_model):
    make = Bench._make

    def patched(self, one, p):
        made = make(self, one, p)
        if one.method == "grad-eclip":
            raise ValueError("grad-eclip: it cannot.")
        if one.order == 1:
            return Made(dataclasses.replace(made.explanation, attributions=np.zeros(self.game.n_players)), 5, 1)
        return made

    monkeypatch.setattr(Bench, "_make", patched)
    asked = Settings("planted-reads", ps=(0.5,), budget=16)
    (page,) = planted_report.compare(asked, ["planted-reads"], 2, tmp_path, progress=False)
    for row in read(tmp_path / "planted-reads-emoji-clip.csv"):
        silent = row["method"] in (VALUES, "Grad-ECLIP")
        assert float(row["silent"]) == silent
        if silent:
            assert (row["patches"], row["first"]) == ("0.5", row["chance"])
            assert row["cost"] == ("6" if row["method"] == VALUES else "nan")
    cells = {row["method"]: row for row in table(page)}
    assert (cells[VALUES]["silent"], cells["Grad-ECLIP"]["silent"], cells[FIXLIP]["silent"]) == ("2", "2", "0")
    assert cells["Grad-ECLIP"]["cost"] == cells["Grad-ECLIP"]["pairs"] == "–"


def table(page):
    lines = [line.strip("| ") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [dict(zip(lines[0].split(" | "), line.split(" | "), strict=True)) for line in lines[2:]]


@pytest.mark.slow
def test_an_interrupted_command_goes_on_where_it_was(tmp_path, monkeypatch, capsys, few_methods, one_model):
    from fixlip.experiments import planted

    command = ["experiment", "planted", "--fault", "binding", "--limit", "2", "--p", "0.5", "--budget", "16", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    printed, read_scene, asked = capsys.readouterr().out, planted.PlantedItem.read, []

    def interrupted(item):
        asked.append(item.name)
        if asked == ["scene 0", "scene 1"]:
            raise KeyboardInterrupt
        return read_scene(item)

    monkeypatch.setattr(planted.PlantedItem, "read", interrupted)
    assert main([*command, "--out", str(tmp_path / "cut")]) == 130
    assert main([*command, "--out", str(tmp_path / "cut")]) == 0
    assert asked == ["scene 0", "scene 1", "scene 1"]  # the first is not run again, nor is the second model
    assert capsys.readouterr().out == printed
    for name in ("planted-binding-emoji-clip.csv", "planted-binding.md"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert "<html" in (tmp_path / "cut" / "planted-binding.html").read_text(encoding="utf-8")
    rows = {row["method"]: row for row in table(tmp_path / "cut" / "planted-binding.md")}
    # One model in both roles is told apart by nobody, and first order has nothing to say about colours.
    assert {row["separation"] for row in rows.values()} == {"0.500"}
    assert rows[VALUES]["bound"].startswith("0.000 ") and rows[VALUES]["crossed"].startswith("0.500 ")
    assert rows[THIRD_OF_METAGAME]["triples"] != rows[FIXLIP_3]["triples"] != rows[FIXLIP]["triples"]


def test_whole_objects_are_enumerated(monkeypatch):
    """Of a game of six players whose Möbius transform is known."""
    from fixlip.experiments import planted
    from fixlip.masks import enumerate_masks

    scene = planted_scene("binding", FIRST_SCENE)
    asked = planted.Question(scene, fixlip.Game(fixlip.load("emoji-clip"), scene.image, scene.caption))
    truth, p = asked.truth, 0.3
    rng, six = np.random.default_rng(0), enumerate_masks(6)
    moebius = rng.normal(size=64)  # of each subset

    def known(game, masks):
        players = np.stack(
            [*masks[:, [*truth.colours, *truth.nouns]].T, *(masks[:, np.argmax(o)] for o in truth.patches)]
        )
        assert (
            masks[:, :49]
            == np.where(truth.patches[0], players[4][:, None], True)
            & np.where(truth.patches[1], players[5][:, None], True)
        ).all()
        return np.array([sum(m for m, s in zip(moebius, six, strict=True) if (s <= row).all()) for row in players.T])

    monkeypatch.setattr(planted, "ask", known)

    def interaction(*players):
        """E[D_S v] of a sum of products: those with all of S, each other player there with probability p."""
        inside = six[:, list(players)].all(axis=1)
        return (moebius * p ** (six.sum(axis=1) - 3.0))[inside].sum()

    wanted = interaction(0, 2, 4) + interaction(1, 3, 5) - interaction(1, 2, 4) - interaction(0, 3, 5)
    assert asked.enumerated(truth, p) == pytest.approx(wanted / 2, abs=1e-10)


@pytest.mark.slow
def test_the_command_asks_every_method(tmp_path, capsys):
    command = ["experiment", "planted", "--limit", "2", "--p", "0.5", "--budget", "16", "--quiet"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    for experiment, models in columns.MODELS.items():
        rows = table(tmp_path / f"{experiment}.md")
        methods = [row["method"] for row in rows]
        assert set(methods) == {*methods_of(experiment), "chance", columns.OWN_ANSWER} | (
            {columns.ENUMERATED} if experiment == columns.BINDING else set()
        )
        assert {row["scenes"] for row in rows if row["method"] in METHODS} == {"2"}
        for model in models:
            assert len(read(tmp_path / f"{experiment}-{model}.csv")) == 2 * len(methods_of(experiment))


def test_models_are_told_apart_by_their_scenes(tmp_path):
    """Hand-made tables: the score of every scene of the faulty model is higher, or as high."""

    def rows(bound):
        return [{"bound": str(value), "words": "nan"} for value in bound]

    key = (FIXLIP_3, "0.5")
    found = planted_report.Compared("planted-binding", {key: rows([0.3, 0.2])}, {key: rows([0.1, 0.2, -1])})
    assert found.separation(key, "bound") == pytest.approx(5.5 / 6)


def test_what_does_not_fit_is_refused(tmp_path, capsys):
    with pytest.raises(ValueError, match="dataset: got 'coco', wanted 'emoji' for planted-reads"):
        run(Settings("planted-reads"), "coco", out=tmp_path, progress=False)
    assert main(["experiment", "planted", "--fault", "badge", "--out", str(tmp_path)]) == 2
    assert "fault: got 'badge', wanted shortcut, reads, binding" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_fault_has_its_columns_and_every_column_its_sentence():
    assert [f"planted-{fault}" for fault in FAULTS] == list(columns.SCORES) == list(columns.MODELS)
    for experiment, scores in columns.SCORES.items():
        assert set(scores) - {"cost"} <= columns.EXPLAINED.keys()
        assert set(columns.SUMMARISED[experiment]) <= set(scores) and columns.SEPARATES[experiment] in scores
    # Word by word there is no third order, and other experiments compare what they did.
    assert methods_of("context") is METHODS and WORD_BY_WORD in methods_of("planted-binding")
