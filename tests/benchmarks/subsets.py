"""Subset search and curves for growing numbers of players: time and memory of two routes.

Run as `python tests/benchmarks/subsets.py`. Interactions are normal numbers, and the game costs nothing, so that only
the search is measured. One route exchanges players in one subset after the other, in subsets of the sizes that are
asked for; the other in subsets of all sizes at once, which takes an array of players cubed, and is left out where that
would be more than 8 GB. Every number comes from a process of its own; times are those of the processor, since the
machine may be shared.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np

from fixlip import Explanation
from fixlip.masks import BoolArray, FloatArray
from fixlip.metrics import insertion_deletion
from fixlip.subject import Subject
from fixlip.subsets import subsets

PLAYERS = ((49, 7), (196, 7), (576, 10), (1024, 10))
TASKS = ("highest", "curves", "first order", "at once")
MOST_GIGABYTES = 8.0


def explanation(n_image: int, n_text: int) -> Explanation:
    """Normal numbers for so many players."""
    n, rng = n_image + n_text, np.random.default_rng(0)
    pairs = np.triu(rng.normal(size=(n, n)), 1)
    return Explanation(0.0, rng.normal(size=n), pairs + pairs.T, Subject(n_image, n_text, tuple(map(str, range(n)))))


def at_once(attributions: FloatArray, interactions: FloatArray, start: BoolArray, sign: float) -> BoolArray:
    """Exchanges in all subsets (m, n) together: who leaves and who joins is looked up in an array (m, n, n)."""
    inside, pairs = start.copy(), sign * interactions
    gains = sign * attributions + inside @ pairs
    active = np.flatnonzero(~inside.all(axis=1))
    while len(active):
        present, added = inside[active], gains[active]
        change = added[:, None, :] - added[:, :, None] - pairs[None]
        change[~(present[:, :, None] & ~present[:, None, :])] = -np.inf
        flat = change.reshape(len(active), -1)
        best = flat.argmax(axis=1)
        helps = flat[np.arange(len(active)), best] > 1e-9
        leaving, joining = np.divmod(best[helps], inside.shape[1])
        active = active[helps]
        inside[active, leaving], inside[active, joining] = False, True
        gains[active] += pairs[joining] - pairs[leaving]
    return inside


class Counting:
    """A game that costs nothing."""

    def __init__(self, subject: Subject):
        self.n_image, self.n_text = subject.n_image, subject.n_text

    def __call__(self, masks: BoolArray) -> FloatArray:
        """How many players are present."""
        return masks.sum(axis=1).astype(np.float64)


def work(task: str, found: Explanation) -> None:
    """What is measured."""
    if task == "highest":
        found.highest(10)
    elif task == "at once":
        numbers = found.attributions, found.interactions
        grown = subsets(0.0, *numbers, "greedy", first_order=found.values)
        for start, sign in ((grown.highest, 1.0), (grown.lowest, -1.0)):
            at_once(*numbers, start, sign)
    else:
        insertion_deletion(found.first_order() if task == "first order" else found, Counting(found.subject))


def megabytes() -> float:
    """Largest memory this process has had (Linux counts kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(task: str, n_image: int, n_text: int) -> tuple[float, float]:
    """Seconds, and megabytes more than before, in a new process."""
    command = [sys.executable, __file__, task, str(n_image), str(n_text)]
    seconds, more = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(more)


def main() -> None:
    """Measure everything and print times, memory and ratios."""
    print("players      highest(10)        curves   first order     all at once  ratio of curves, time and memory")
    for n_image, n_text in PLAYERS:
        cubed = 3 * (n_image + n_text) ** 3 * 8 / 2**30
        tasks = TASKS if cubed < MOST_GIGABYTES else TASKS[:-1]
        found = {task: measure(task, n_image, n_text) for task in tasks}
        cells = [f"{seconds:6.2f} s {more:5.0f} MB" for seconds, more in found.values()]
        if "at once" in found:
            (slow, large), (quick, small) = found["at once"], found["curves"]
            cells.append(f"{slow / quick:4.1f}, {large / max(small, 1):4.1f}")
        print(f"{n_image:4d} + {n_text:<2d}", *cells, sep="  ")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        given = explanation(int(sys.argv[2]), int(sys.argv[3]))
        before, start = megabytes(), time.process_time()
        work(sys.argv[1], given)
        print(time.process_time() - start, megabytes() - before)
    else:
        main()
