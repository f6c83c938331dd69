"""Writes the minutes of the chapters' first cells into `index.md`: `python notebooks/figures/routes.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent
INDEX = FOLDER / "index.md"
MINUTES = re.compile(r"\*\*Minutes\.\*\* (\d+) to .*?(less than 1|\d+) to run.*?(\d+) for the exercises", re.S)
LINK = re.compile(r"\]\((\d\d_\w+\.ipynb)\)")


def minutes(file: str) -> list[int]:
    """To read, to run and for the exercises; less than one counts as one."""
    first = "".join(json.loads((FOLDER / file).read_text(encoding="utf-8"))["cells"][0]["source"])
    found = MINUTES.search(first)
    if found is None:
        raise ValueError(f"{file}: the first cell wants 'N to read, N to run, N for the exercises', has {first!r}.")
    return [int(part) if part.isdigit() else 1 for part in found.groups()]


def updated(text: str) -> str:
    """The page with every minute of its tables as the chapters have it, and with their sums."""
    lines, together = [], 0
    for line in text.splitlines():
        files = LINK.findall(line) if line.startswith("|") else []
        parts = [minutes(file) for file in files]
        if re.search(r"\| (read|all) \| \d+ \|$", line):
            spent = sum(parts[0][: 2 if "| read |" in line else 3])
        elif re.match(r"\| \d \|", line):
            spent = sum(sum(part) for part in parts)
        else:
            spent = 0
            if files:
                line = re.sub(r"\d+ \+ \d+ \|$", f"{parts[0][0]} + {parts[0][2]} |", line)
        if spent:
            line = re.sub(r"\d+ \|$", f"{spent} |", line)
            together += spent
        elif line.startswith("| together"):
            line, together = re.sub(r"\*\*\d+\*\*", f"**{together}**", line), 0
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    INDEX.write_text(updated(INDEX.read_text(encoding="utf-8")), encoding="utf-8")
