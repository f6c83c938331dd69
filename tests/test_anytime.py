"""Samples in rounds: the same as all at once, nothing asked twice, and whoever has seen enough can stop."""

import threading

import numpy as np
import pytest
from toys import RandomBilinearGame, SmoothGame

import fixlip
import fixlip_widgets as widgets
from fixlip.__main__ import main
from fixlip.api import Cost
from fixlip.commands.rounds import takes_long
from fixlip.pictures.report import html

SCENE = fixlip.emoji.scene(7)


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu", batch_size=16)


@pytest.fixture
def game(encoder):
    return fixlip.Game(encoder, SCENE.image, SCENE.caption)


def assert_same(one, other):
    for a, b in ((one.image_side, other.image_side), (one.text_side, other.text_side)):
        for part in ("masks", "weights", "embeddings"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))


@pytest.mark.parametrize(
    ("toy", "budget", "p", "sizes"),
    [
        (SmoothGame(), 200, (0.2, 0.5), [32, 64, 128, 200]),
        (SmoothGame(), 20, 0.5, [20]),
        (RandomBilinearGame(7, 3), 500, 0.5, [32, 64, 128]),  # the last holds all 2^7 masks
        (SmoothGame(n_image=17), 200, 0.04, [31, 49, 72, 106]),  # no 200 masks differ
    ],
)
def test_the_last_round_is_what_sampling_at_once_gives_bit_for_bit(toy, budget, p, sizes):
    whole, found = fixlip.sample(toy, budget, p, seed=3, progress=False), []
    asked_before = getattr(toy, "calls", 0)
    for samples in fixlip.rounds(toy, budget, p, seed=3, progress=False):
        found.append(samples)
    assert sizes == [one.budget for one in found]
    assert_same(found[-1], whole)
    if whole.budget < 2**toy.n_image:  # where all are listed, the order is that of the list
        for one in found:
            np.testing.assert_array_equal(one.image_side.masks, whole.image_side.masks[: one.budget])
    assert getattr(toy, "calls", 0) - asked_before in (0, whole.budget), "no image twice"


def test_rounds_end_at_the_target_or_where_more_does_not_help():
    def reached(game, **options):
        found = fixlip.rounds(game, 256, 0.5, progress=False, **options)
        return [(one.budget, one.explain(0.5).expected_faithfulness) for one in found]

    growing, flat = SmoothGame(14, seed=1), SmoothGame(10, seed=1)
    curve = dict(reached(growing))
    target = (curve[64] + curve[128]) / 2
    assert curve[64] < target < curve[128]
    assert [size for size, _ in reached(growing, target_faithfulness=target)] == [32, 64, 128]
    stalled = reached(flat, target_faithfulness=0.999)
    assert [size for size, _ in stalled] == [32, 64, 128] and stalled[2][1] - stalled[1][1] < 0.005
    for wrong, message in (({"first": 1}, "first: got 1"), ({"target_faithfulness": 2}, "target_faithfulness: got 2")):
        with pytest.raises(ValueError, match=message):
            fixlip.rounds(SmoothGame(), **wrong)


def test_auto_ends_where_it_is_enough():
    """At 0.95, or after a round that gained less than 0.02, from 128 images on; a target of one's own from 64 on."""

    def expected(game, images):
        return fixlip.sample(game, images, 0.5, progress=False).explain(0.5).expected_faithfulness

    reaching, stalling, gaining = SmoothGame(20, seed=2), SmoothGame(20), SmoothGame(60, seed=5)
    assert 0.95 < expected(reaching, 64) < 1
    assert expected(stalling, 128) - expected(stalling, 64) > 0.02 > expected(stalling, 256) - expected(stalling, 128)
    assert expected(gaining, 256) - expected(gaining, 128) > 0.02
    for game, last in ((reaching, 128), (stalling, 256), (gaining, 300)):
        found = list(fixlip.rounds(game, 300, 0.5, target_faithfulness="auto", progress=False))
        assert found[-1].budget == last
    with pytest.raises(ValueError, match="target_faithfulness: got 'car', wanted a number"):
        fixlip.rounds(SmoothGame(), target_faithfulness="car")


def test_an_explanation_says_what_ended_its_rounds_wherever_it_goes(encoder, tmp_path, recwarn):
    pair = encoder, SCENE.image, SCENE.caption
    found, half = (fixlip.explain(*pair, **how) for how in ({"target_faithfulness": "auto"}, {"budget": 128}))
    assert not recwarn, "nothing was promised"
    gain = found.expected_faithfulness - half.expected_faithfulness
    told = f"256 of at most 512 masked images: expected R squared {found.expected_faithfulness:.3f}"
    assert found.ended == f"{told}, the last round gained {gain:.3f}" and gain < 0.02
    assert fixlip.Explanation.load(found.save(tmp_path / "x.npz")).ended == found.ended
    assert found.ended in found.summary() and found.ended in html(found)
    assert not found.first_order().ended, "which says nothing of its R squared"
    enough = fixlip.explain(*pair, target_faithfulness=0.9, progress=False)
    assert enough.ended.startswith("64 of at most 4,096 masked images") and enough.ended.endswith("0.9 is enough")
    with pytest.warns(UserWarning, match="allow a larger budget"):
        spent = fixlip.explain(*pair, target_faithfulness=0.99, budget=70)
    assert spent.ended.startswith("all 70 masked images")


def test_explaining_in_rounds_ends_with_the_same_explanation_and_survives_an_interruption(encoder):
    seen = []
    common = {"budget": 100, "progress": False}
    whole = fixlip.explain(encoder, SCENE.image, SCENE.caption, **common)
    found = fixlip.explain(encoder, SCENE.image, SCENE.caption, on_round=seen.append, **common)
    assert [one.budget for one in seen] == [32, 64, 100] and seen[-1] is found
    np.testing.assert_allclose(found.values, whole.values, atol=1e-4)
    assert found.expected_faithfulness == pytest.approx(whole.expected_faithfulness, abs=1e-4)

    def enough(explanation):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted: going on with 32 masked images"):
        kept = fixlip.explain(encoder, SCENE.image, SCENE.caption, on_round=enough, **common)
    np.testing.assert_allclose(kept.values, seen[0].values, atol=1e-6)
    with pytest.raises(ValueError, match="on_round: wanted only with the estimator"):
        fixlip.explain(encoder, SCENE.image, SCENE.caption, estimator="exact", on_round=enough)


# ---- the command


def test_the_command_asks_about_as_many_images_as_are_enough_unless_it_is_told_how_many(tmp_path, capsys):
    def run(*options):
        assert main(["explain", "scene:7", "--out", str(tmp_path / "x.npz"), *options]) == 0
        return fixlip.Explanation.load(tmp_path / "x.npz"), capsys.readouterr()

    found, printed = run()
    assert found.budget == 256 and found.ended in printed.out and "at most 512 masked images" in printed.err
    found, _ = run("--budget", "140", "--target-faithfulness", "auto", "--quiet")
    assert found.budget == 140 and "all 140 masked images" in found.ended
    for whole in ([], ["--target-faithfulness", "none"]):
        found, printed = run("--budget", "66", *whole)
        assert found.budget == 66 and not found.ended and "at most" not in printed.err


@pytest.mark.filterwarnings("always::UserWarning")
def test_the_command_tells_every_round_and_its_report_is_there_from_the_first(tmp_path, monkeypatch, capsys):
    from fixlip.commands import rounds

    out, seen, told = tmp_path / "why.html", [], rounds.line

    def spied(explanation):
        seen.append(out.exists())
        if explanation.budget == 64:
            raise KeyboardInterrupt
        return told(explanation)

    monkeypatch.setattr(rounds, "line", spied)
    common = ["explain", "scene:7", "--budget", "128", "--out", str(out)]
    assert main([*common, "--rounds"]) == 0
    printed = capsys.readouterr()
    assert seen == [False, True] and "expected faithfulness 0." in printed.err and "interrupted" in printed.err
    assert '"cactus" +' in printed.err and "64 masked images" in printed.out and "±" in printed.err
    monkeypatch.setattr(rounds, "SLOW_SECONDS", 1e6)  # however busy this machine is
    assert main(common) == 0 and len(seen) == 2, "what is quick is told once"
    for wrong in (["--estimator", "crossmodal"], ["--foil", "a cat"]):
        assert main([*common, "--rounds", *wrong]) == 2
        assert "rounds: wanted only with" in capsys.readouterr().err


def test_what_takes_long_is_told_in_rounds_without_being_asked():
    assert takes_long(Cost(512, 32, 60.0, "cpu")), "more than 3 s for the first 32 of 544"
    assert not takes_long(Cost(512, 32, 4.0, "cpu")) and not takes_long(Cost(16, 16, 60.0, "cpu"))


# ---- the widget


class Gate:
    """Holds the masked images after the first 48, in the middle of the second round, until it is opened."""

    def __init__(self, game, monkeypatch):
        self.open, self.waiting, self.done = threading.Event(), threading.Event(), 0
        whole = game.encoder.embed_images

        def gated(prepared, masks):
            for batch in whole(prepared, masks):
                self.done += len(batch)
                yield batch
                if self.done >= 48 and not self.open.is_set():
                    self.waiting.set()
                    assert self.open.wait(30)

        monkeypatch.setattr(game.encoder, "embed_images", gated)


def test_an_explorer_of_a_game_sharpens_while_its_sliders_answer(game, monkeypatch):
    gate = Gate(game, monkeypatch)
    explorer = widgets.Explorer(game, 128)
    assert gate.waiting.wait(30) and explorer.sharpening.enough.layout.display == ""
    first, explorer.p.value = explorer.state.explanation, 0.3
    assert (first.budget, explorer.state.explanation.budget, explorer.state.explanation.p) == (32, 32, 0.3)
    told = f"48 of 128 masked images, expected faithfulness {first.expected_faithfulness:.2f}"
    assert told in explorer.sharpening.text.value
    explorer.order.value = 1
    gate.open.set()
    explorer.wait()
    expected = fixlip.sample(game, 128, progress=False).explain(0.3, order=1)
    found = explorer.state.explanation
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    assert found.budget == explorer.budget.value == explorer.budget.max == gate.done == 128, "no image twice"
    assert explorer.sharpening.enough.layout.display == "none" and explorer.message.value == ""
    assert ">128 masked images<" in explorer.sharpening.text.value


def test_another_caption_comes_first_and_enough_is_enough(game, monkeypatch):
    gate = Gate(game, monkeypatch)
    explorer = widgets.Explorer(game, 512)
    assert gate.waiting.wait(30)
    shown = []
    explorer.state.observe(lambda change: shown.append((change["new"].text, change["new"].budget)), "explanation")

    def stop(change):
        if change["new"].text == "a cake" and change["new"].budget == 64:
            explorer.sharpening.enough.click()

    explorer.state.observe(stop, "explanation")
    explorer.caption.value = "a cake"
    gate.open.set()
    explorer.wait()
    assert shown[0] == ("a cake", 32), "before the round in work is whole"
    assert explorer.state.samples.budget == 64 == gate.done and ">64 masked images<" in explorer.sharpening.text.value
    explorer.caption.value = "a cactus"
    explorer.wait()
    assert explorer.state.explanation.text == "a cactus" and gate.done == 64


def test_a_budget_belongs_to_a_game():
    with pytest.raises(ValueError, match="budget: wanted only with a game"):
        widgets.Explorer(fixlip.sample(SmoothGame(), 32, progress=False), 64)
    with pytest.raises(ValueError, match="budget: got 1,"):
        widgets.Explorer(SmoothGame(), 1)
