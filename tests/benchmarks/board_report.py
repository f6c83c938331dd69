"""The leaderboard's tables and figure, from its rows."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
from board_rivals import RIVALS, Rival

KERNEL = "kernel"
Found = dict[tuple[str, str, str], dict[int, dict[str, dict[str, float]]]]


def collect(rows: list[dict[str, str]]) -> tuple[Found, dict[tuple[str, str, str], dict[str, float]]]:
    """Numbers by (model, at, estimator), encodings and scene; and those of the limit by (model, at, scene).

    The limit of R squared is the best that anything reached in that scene.
    """
    found: Found = defaultdict(lambda: defaultdict(dict))
    limits: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for row in rows:
        numbers = {k: float(v) for k, v in row.items() if v and k not in ("model", "scene", "at", "estimator")}
        limit = limits[row["model"], row["at"], row["scene"]]
        limit["r2"] = max(limit.get("r2", -np.inf), numbers.get("r2", -np.inf))
        if row["estimator"] == "limit":
            limit |= {k: numbers[k] for k in ("value_size", "interaction_size")}
            limits[row["model"], row["at"], row["scene"]] = limit
        elif numbers["encodings"]:
            found[row["model"], row["at"], row["estimator"]][int(numbers["encodings"])][row["scene"]] = numbers
    return found, limits


def needed(curve: dict[int, dict[str, float]], share: float = 0.95) -> dict[str, float]:
    """Encodings from which a share of the limit stays reached, for every scene (infinite where none is enough).

    Between two budgets, the share is taken to be linear in the logarithm of the budget.
    """
    budgets, result = sorted(curve), {}
    for scene in set.intersection(*(set(curve[b]) for b in budgets)):
        shares = [curve[b][scene] for b in budgets]
        last = max((i for i, value in enumerate(shares) if value < share), default=-1)
        if last in (-1, len(budgets) - 1):
            result[scene] = float(budgets[0]) if last == -1 else np.inf
        else:
            low, high = shares[last], shares[last + 1]
            between = (share - low) / (high - low)
            result[scene] = float(budgets[last] * (budgets[last + 1] / budgets[last]) ** between)
    return result


def shares(key: tuple[str, str, str], found: Found, limits) -> dict[int, dict[str, float]]:
    """R squared as a share of the limit, by encodings and scene."""
    return {
        budget: {scene: one["r2"] / limits[key[0], key[1], scene]["r2"] for scene, one in scenes.items()}
        for budget, scenes in found[key].items()
    }


def median(values) -> float:
    """The median of what there is, infinite or not; NaN of nothing."""
    values = sorted(value for value in values if not np.isnan(value))
    if not values:
        return float("nan")
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    return low if low == high else (low + high) / 2


def relative(key: tuple[str, str, str], scenes, limits, what: str) -> float:
    """Median over scenes of an error in percent of its size: an explanation of zeros has 100."""
    sizes = {scene: limits[key[0], key[1], scene][f"{what}_size"] for scene in scenes}
    return median(100 * one.get(f"{what}_error", np.nan) / sizes[scene] for scene, one in scenes.items())


def summary(found: Found, limits) -> str:
    """Markdown: what each estimator needs for 95 % of the limit, and how many times the kernel's that is."""
    lines = [
        "| model | p | limit of R² | estimator | encodings for 95 % of the limit | times the kernel's "
        "| R² at its largest budget | scenes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in ordered(found):
        model, at, name = key
        if at == "shapley":
            continue
        limit = median(v["r2"] for k, v in limits.items() if k[:2] == (model, at))
        mine, ours, most = needed(shares(key, found, limits)), {}, max(found[key])
        if (model, at, KERNEL) in found:
            ours = needed(shares((model, at, KERNEL), found, limits))
        count, ratio = (
            median(mine.values()),
            median(mine[s] / ours[s] for s in mine if np.isfinite(ours.get(s, np.inf))),
        )
        largest = median(one["r2"] for one in found[key][most].values())
        told = f"{count:,.0f}" if np.isfinite(count) else f"more than {most:,}"
        times = f"{ratio:.1f}" if np.isfinite(ratio) else ""
        if np.isinf(ratio):
            times = f"more than {most / median(ours.values()):.1f}"
        lines.append(
            f"| {model} | {at} | {limit:.3f} | {name} | {told} | {times} | {largest:.3f} at {most:,} "
            f"| {len(found[key][most])} |"
        )
    return "\n".join(lines) + "\n"


def budgets_table(found: Found, limits) -> str:
    """Markdown: medians for every estimator and budget."""
    lines = [
        "| model | p | estimator | encodings | captions on top | R² | error of values, % | error of interactions, % "
        "| processor seconds outside the encoders | scenes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in ordered(found):
        for budget, scenes in sorted(found[key].items()):
            middle = {k: median(one.get(k, np.nan) for one in scenes.values()) for k in ("captions", "r2", "seconds")}
            errors = (relative(key, scenes, limits, what) for what in ("value", "interaction"))
            cells = [f"{middle['r2']:.3f}", *(f"{one:.0f}" for one in errors), f"{middle['seconds']:.2f}"]
            cells = ["" if cell == "nan" else cell for cell in cells]
            lines.append(
                f"| {' | '.join(key)} | {budget:,} | {middle['captions']:.0f} | {' | '.join(cells)} | {len(scenes)} |"
            )
    return "\n".join(lines) + "\n"


def ordered(found: Found) -> list[tuple[str, str, str]]:
    """Keys in the order in which models were measured and estimators are listed."""
    firsts, names = list(dict.fromkeys(key[:2] for key in found)), list(RIVALS)
    models = list(dict.fromkeys(key[0] for key in firsts))
    return sorted(found, key=lambda key: (models.index(key[0]), key[1], names.index(key[2])))


def told(found: Found, limits, shapiq: str) -> str:
    """What the numbers are, and how many times fewer encodings the kernel takes, all models together."""
    ratios = defaultdict(list)
    for model, at, name in found:
        if (model, at, KERNEL) in found and at == "0.5" and name != KERNEL:
            mine, ours = (needed(shares((model, at, one), found, limits)) for one in (name, KERNEL))
            ratios[name] += [mine[s] / ours[s] for s in mine if np.isfinite(ours.get(s, np.inf))]
    lines = ["", "Medians over scenes. At p = 0.5, per scene, all models together, times the kernel's encodings:", ""]
    for name in (name for name in RIVALS if ratios[name]):
        middle = median(ratios[name])
        lines.append(
            f"- {name}: {f'{middle:.1f}' if np.isfinite(middle) else 'not reached'} ({len(ratios[name])} scenes)"
        )
    theirs = any(RIVALS[name].theirs for _, _, name in found)
    if not theirs:
        lines += ["", "shapiq's estimators are missing: where this ran there was no shapiq 1.6 or newer."]
    elif shapiq:
        lines += ["", f"Estimators of shapiq: version {shapiq}."]
    return "\n".join(lines) + "\n"


def write(rows: list[dict[str, str]], out: Path, shapiq: str = "") -> str:
    """Write tables and figure; return the first table."""
    found, limits = collect(rows)
    if not found:
        return "Nothing was measured yet."
    text = summary(found, limits) + told(found, limits, shapiq)
    (out / "leaderboard.md").write_text(text, encoding="utf-8")
    (out / "leaderboard-budgets.md").write_text(budgets_table(found, limits), encoding="utf-8")
    curves(found, limits, out)
    return text


def _look(rival: Rival) -> tuple[str, str]:
    """Line and marker: model-agnostic estimators are dashed, and those of others have triangles."""
    return "dashed" if rival.agnostic else "solid", "triangle" if rival.theirs else "circle"


def curves(found: Found, limits, out: Path) -> None:
    """Share of the limiting R squared, and errors of interactions, against encodings, p = 0.5: a page and a PNG."""
    from bokeh.embed import file_html
    from bokeh.layouts import gridplot
    from bokeh.models import Legend
    from bokeh.palettes import Category10
    from bokeh.plotting import figure
    from bokeh.resources import INLINE

    panels = []
    looks = {name: (Category10[10][k % 10], *_look(rival)) for k, (name, rival) in enumerate(RIVALS.items())}
    for model in dict.fromkeys(key[0] for key in found if key[1] == "0.5"):
        row = []
        for what, ends in (
            ("share of the limiting R²", (0.4, 1.02)),
            ("error of interactions, % of their size", (0, 103)),
        ):
            labels = {"x_axis_label": "masked images encoded", "y_axis_label": what, "title": f"{model}, p = 0.5"}
            panel = figure(x_axis_type="log", y_range=ends, width=520, height=360, toolbar_location=None, **labels)
            items = []
            for name, (colour, dash, marker) in looks.items():
                key = (model, "0.5", name)
                if key not in found:
                    continue
                x = sorted(found[key])
                y = [median(shares(key, found, limits)[b].values()) for b in x]
                if row:
                    y = [relative(key, found[key][b], limits, "interaction") for b in x]
                drawn = [panel.line(x, y, color=colour, line_dash=dash, line_width=2.5)]
                drawn.append(panel.scatter(x, y, color=colour, size=8, marker=marker))
                items.append((name, drawn))
            if not row:
                panel.line([30, 3200], [0.95, 0.95], color="gray", line_dash="dotted")
            else:
                panel.width = 820
                panel.add_layout(Legend(items=items, label_text_font_size="8pt"), "right")
            row.append(panel)
        panels.append(row)
    if panels:
        page = out / "leaderboard.html"
        page.write_text(file_html(gridplot(panels, toolbar_location=None), INLINE, "Leaderboard"), encoding="utf-8")
        photograph(page, (1360, 380 * len(panels)))


def photograph(page: Path, size: tuple[int, int]) -> None:
    """A PNG beside a page, where playwright and Chromium are installed."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        print(f"No PNG of {page.name}: playwright or Chromium is not installed here; run again with --scenes 0.")
        return
    with sync_playwright() as play:
        shown = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        view = shown.new_page(viewport={"width": size[0], "height": size[1]})
        view.goto(page.resolve().as_uri())
        view.wait_for_timeout(1500)
        view.screenshot(path=page.with_suffix(".png"), full_page=True)
        shown.close()
