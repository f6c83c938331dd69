"""Is Grad-ECLIP an attention map of another model? `python tests/benchmarks/grad_eclip_criticism.py --out FOLDER`

Cui and Fan ("Debunking Grad-ECLIP", arXiv 2605.12952) say that its maps equal those of an attention-based route, and
that they do not explain the model, since the published code computes some attentions with one head. We read only the
abstract, and derive the route. An attention with output o_a = sum over i of A_ai v_i (heads side by side) has

    dc/dA_ai, summed over heads  =  sum over channels of dc/do_a v_i,

so Grad-ECLIP is the gradient at the attention weights of the position that is read, summed over heads, times its
similarity of keys. This is measured here, computed from A and not from o; beside it routes that use A itself, which
Grad-ECLIP doesn't: A, A dc/dA (the exact first-order share of the attention's output) and GAME's mean of its positive
part; and MaskCLIP. Then what one head does to the similarity that is explained, and to the maps. Half a minute.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

import fixlip
from fixlip.baselines.dense import MASKCLIP
from fixlip.baselines.eclip import GradEclip
from fixlip.baselines.routes import SIDES, directions, maps_of, tower_of
from fixlip.encoders.sources import CLEAN

ROUTES = ("gradient at A", "A × gradient", "GAME", "A", "MaskCLIP")


def run_with(game, side, heads):
    """The tower, its run with so many heads where Grad-ECLIP takes gradients, and the attentions there."""
    tower = tower_of(game, side)
    start = tower.depth - 1 if side == "image" else 0  # the embedded models have fewer than eight text blocks
    if tower.reader is None:
        start = tower.depth
    run = tower.run(tower.states_before(start).requires_grad_(), start, heads)
    if tower.reader is None:
        return tower, run, [(run.pooling, tower.pooling, 0)]
    blocks = zip(run.attentions, tower.blocks[start:], strict=True)
    return tower, run, [(attention, block, tower.reader) for attention, block in blocks]


def attention_routes(game, side, heads):
    """Maps (n,) that are made of attention weights and gradients at them; the first is the claimed equivalent."""
    tower, run, places = run_with(game, side, heads)
    cosine = (run.embedding * directions(game, side)).sum()
    gradients = torch.autograd.grad(cosine, [attention.weights for attention, _, _ in places])
    maps = defaultdict(float)
    for (attention, module, row), gradient in zip(places, gradients, strict=True):
        slope, weight = gradient[0, :, row], attention.weights[0, :, row].detach()
        query, keys = module.project(attention.query[0, row]), module.project(attention.key[0])
        similar = torch.cosine_similarity(query[None], keys, dim=-1).detach()
        among = similar[tower.players] if side == "image" else similar[: row + 1]
        similar = (similar - among.min()) / (among.max() - among.min())
        maps["Attention-ECLIP"] += similar * slope.sum(0)
        maps["gradient at A"] += slope.sum(0)
        maps["A × gradient"] += (weight * slope).sum(0)
        maps["GAME"] += (weight * slope).relu().mean(0)
        maps["A"] += weight.mean(0)
    return {name: one[tower.players].numpy() for name, one in maps.items()}


def rank_correlation(one, other):
    """Spearman's, NaN where a map is constant."""
    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else np.nan


def measure(model, scenes):
    """Numbers by (side, what), a list of one a scene each; and cosines (scenes, scenes) by (side, heads)."""
    encoder, found, embeddings = fixlip.load(model), defaultdict(list), defaultdict(list)
    for scene in range(scenes):
        shown = fixlip.emoji.scene(scene, objects=2 + scene % 3)
        game = fixlip.Game(encoder, shown.image, shown.caption)
        for side in SIDES:
            maps, wholes = {}, {}
            for heads in (None, 1):
                signed = maps_of(game, GradEclip(heads=heads, signed=True).route, side)[0]
                wholes[heads] = signed
                maps[heads] = maps_of(game, GradEclip(heads=heads).route, side)[0]
                routes = attention_routes(game, side, heads)
                claimed = routes["Attention-ECLIP"]
                found[side, heads, "difference"].append(np.abs(claimed - signed).max() / np.abs(signed).max())
                routes["MaskCLIP"] = maps_of(game, MASKCLIP, side)[0]
                for name in ROUTES:
                    found[side, heads, name].append(rank_correlation(signed, routes[name]))
                found[side, heads, "blank"].append(not maps[heads].any())
                embeddings[side, heads].append(run_with(game, side, heads)[1].embedding[0].detach().numpy())
            found[side, "ranks"].append(rank_correlation(wholes[None], wholes[1]))
            found[side, "same top"].append(np.argmax(wholes[None]) == np.argmax(wholes[1]))
            both = maps[None].any() and maps[1].any()
            cosine = maps[None] @ maps[1] / np.linalg.norm(maps[None]) / np.linalg.norm(maps[1]) if both else np.nan
            found[side, "cosine"].append(cosine)
    model_own = {side: np.array(embeddings[side, None]) for side in SIDES}
    cosines = {None: model_own["image"] @ model_own["text"].T}
    cosines["image"] = np.array(embeddings["image", 1]) @ model_own["text"].T
    cosines["text"] = model_own["image"] @ np.array(embeddings["text", 1]).T
    return encoder, found, cosines


def mean(values):
    """The mean over scenes where there is a number, for a table; — where there is none."""
    values = np.asarray(values, float)
    return f"{np.nanmean(values):.2f}" if np.isfinite(values).any() else "—"


def rows(model, scenes):
    """Lines of the two tables."""
    encoder, found, cosines = measure(model, scenes)
    maps, models = [], []
    for side in SIDES:
        for heads, name in ((None, "the model's"), (1, "one")):
            cells = [f"{np.max(found[side, heads, 'difference']):.7f}"]
            cells += [mean(found[side, heads, route]) for route in ROUTES]
            blank = sum(found[side, heads, "blank"])
            maps.append(f"| {model} | {side} | {name} | {' | '.join(cells)} | {blank} of {scenes} |")
        own, other = cosines[None], cosines[side]
        first = [np.mean([np.argmax(one[k]) == k for k in range(scenes)]) for one in (own, other)]
        pairs = np.eye(scenes, dtype=bool)
        cells = [f"{own[pairs].mean():.2f}", f"{other[pairs].mean():.2f}", f"{np.abs(own - other).mean():.2f}"]
        cells += [f"{encoder.scale * np.abs(own - other).mean():.1f}", f"{encoder.scale * own.std():.1f}"]
        cells += [f"{rank_correlation(own.ravel(), other.ravel()):.2f}", f"{first[0]:.0%}", f"{first[1]:.0%}"]
        cells += [mean(found[side, "ranks"]), mean(found[side, "cosine"]), f"{np.mean(found[side, 'same top']):.0%}"]
        models.append(f"| {model} | {side} | {' | '.join(cells)} |")
    return maps, models


def table(columns, lines):
    """A Markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines, ""]


def reports(options):
    """Two tables and what they say, by file name."""
    maps, models = [], []
    for model in options.models:
        for lines, new in zip((maps, models), rows(model, options.scenes), strict=True):
            lines += new
    first = ("model", "map of", "heads", "largest relative difference to the claimed route", *ROUTES, "blank maps")
    second = ("model", "one head in", "cosine of pairs", "cosine of pairs, one head", "mean absolute difference")
    second += ("in logits", "standard deviation of the model's logits", "rank correlation of all pairs")
    second += ("right caption first", "right caption first, one head")
    second += ("rank correlation of maps", "cosine of maps", "same highest player")
    command = f"python tests/benchmarks/grad_eclip_criticism.py --models {' '.join(options.models)}"
    command = f"`{command} --scenes {options.scenes}`"
    about_maps = (
        "Grad-ECLIP's maps beside routes through attention weights A. The claimed route is the gradient at A, summed "
        "over heads, times similarity of keys: largest difference, as a share of the largest score. The other columns: "
        f"mean rank correlation over {options.scenes} scenes. All before negative scores are cut off; blank maps have "
        "nothing left after it."
    )
    about_models = (
        "One head instead of the model's, in the last block of images (SigLIP: in the pooling head) or in all blocks "
        f"of captions: similarities of all {options.scenes**2} pairs, and maps of the {options.scenes} that belong "
        "together (their cosine after negative scores are cut off, without blank ones)."
    )
    return {
        "grad-eclip-criticism.md": "\n".join([*table(first, maps), about_maps, "", command, ""]),
        "grad-eclip-one-head.md": "\n".join([*table(second, models), about_models, "", command, ""]),
    }


def main():
    """Read the command line, measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder to write; by default the tables are only printed")
    parser.add_argument("--models", nargs="+", default=list(CLEAN))
    parser.add_argument("--scenes", type=int, default=20)
    options = parser.parse_args()
    for name, text in reports(options).items():
        print(text)
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
