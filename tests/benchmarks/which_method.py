"""Which method for which question? One table per model, put together from the stored tables of the experiments.

    python tests/benchmarks/which_method.py            # writes tests/benchmarks/results/which-method-MODEL.md

Nothing is measured here: each column is one column of one experiment's table at p = 0.5, means over its items.
"""

import argparse
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MODELS = ("emoji-clip", "emoji-clip-plain", "emoji-clip-fine", "emoji-siglip")
# Title, experiment, what tells its rows apart beside method and p, and its column.
COLUMNS = (
    ("points, 1 object", "pointing-game", {"objects": "1"}, "pgr"),
    ("points, 4 objects", "pointing-game", {"objects": "4"}, "pgr"),
    ("ranks parts of a sentence (AID)", "insertion-deletion", {}, "aid"),
    ("ranks patches (AID, image alone)", "insertion-deletion", {}, "aid_image"),
    ("ranks masked inputs", "faithfulness", {"at": "0.5"}, "spearman"),
    ("predicts masked inputs (R²)", "faithfulness", {"at": "0.5"}, "r2"),
    ("ranks removals from the whole", "context", {}, "change_spearman"),
    ("predicts removals (R²)", "context", {}, "change_r2"),
    ("follows the context", "context", {}, "context_change"),
    ("tells an absent word", "context", {}, "binding"),
    ("left of the patches' order when the heads are random", "randomisation", {"randomised": "heads"}, "patches"),
    ("blank or undefined", "pointing-game", {"objects": "1"}, "abstained"),
    ("passes, 4 words", "pointing-game", {"objects": "4"}, "cost"),
)


def table_rows(path):
    """The rows of a stored page, as dictionaries; none if it is not there."""
    if not path.is_file():
        return []
    lines = [line.strip("| ") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    header = lines[0].split(" | ")
    return [dict(zip(header, line.split(" | "), strict=True)) for line in lines[2:]]


def cell(rows, method, wanted, column):
    """The mean in the one row that is meant, or a dash where there is none."""
    found = [
        row
        for row in rows
        if row["method"] == method and row["p"] == "0.5" and all(row[key] == value for key, value in wanted.items())
    ]
    if len(found) != 1:
        return "–"
    mean = found[0][column].split(" ± ")[0]
    return mean.split(",")[0].removeprefix("pgr: ") if column == "abstained" else mean


def best(column):
    """The largest numbers of a column in bold."""
    numbers = [float(one) for one in column if one not in ("–", "nan")]
    largest = max(numbers, default=None)
    return [f"**{one}**" if one not in ("–", "nan") and float(one) == largest else one for one in column]


def page(model):
    """The page of one model, as Markdown."""
    tables = {name: table_rows(RESULTS / f"{name}-{model}.md") for name in {column[1] for column in COLUMNS}}
    methods = list(dict.fromkeys(row["method"] for row in tables["pointing-game"] if row["p"] == "0.5"))
    columns = [[cell(tables[name], one, wanted, column) for one in methods] for _, name, wanted, column in COLUMNS]
    columns = [*map(best, columns[:-3]), *columns[-3:]]  # of the last three, more is not better
    titles = ["method", *(title for title, *_ in COLUMNS)]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(row) + " |" for row in zip(methods, *columns, strict=True)]
    items = {name: rows[0]["items"] for name, rows in sorted(tables.items()) if rows}
    counted = ", ".join(f"{name} {count}" for name, count in items.items())
    return "\n".join(
        [*lines, "", f"{model}, p = 0.5, means over scenes ({counted}). Made from the tables beside it.\n"]
    )


def main():
    """Write one page per model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    for model in parser.parse_args().models:
        path = RESULTS / f"which-method-{model}.md"
        path.write_text(page(model), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
