"""Two explanations at once on one machine: `python tests/benchmarks/shared_machine.py [--active]`.

A process explains the same scenes again and again; first one alone, then two side by side. Printed are the seconds of
an explanation and the ratio of the two, which tells how much neighbours disturb each other: 2 is what two fair shares
of the same cores come to. With --active threads that wait keep their cores busy, as without `import fixlip`'s choice.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

ROUNDS = 5
BOUND = 2.2


def work() -> None:
    """Explain when told to, once for every line on stdin, and print the seconds; the first, to warm up, is not told."""
    import fixlip

    encoder = fixlip.load("emoji-clip", device="cpu")
    scene = fixlip.emoji.scene(7)
    fixlip.explain(encoder, scene.image, scene.caption, progress=False)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        fixlip.explain(encoder, scene.image, scene.caption, progress=False)
        print(time.perf_counter() - start, flush=True)


@contextmanager
def started(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready; killed at the end."""
    command = [sys.executable, __file__, "--worker"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as worker:
        try:
            if worker.stdout.readline().strip() != "ready":
                raise RuntimeError("A worker did not start.")
            yield worker
        finally:
            worker.kill()


def seconds(workers: list[subprocess.Popen[str]]) -> list[float]:
    """Seconds of an explanation in each of these workers, all started together: medians of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        rounds.append([float(worker.stdout.readline()) for worker in workers])
    return np.median(rounds, axis=0).tolist()


def main() -> int:
    """Measure, print, and return 1 if two at once are slower than they should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--active", action="store_true", help="threads that wait keep their cores busy, to compare")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return 0
    chosen = {"OMP_WAIT_POLICY": "ACTIVE"} if options.active else {}
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | chosen
    # Only while it is measured may the second process live: a waiting thread that stays awake disturbs without work.
    with started(environment) as first:
        (alone,) = seconds([first])
        with started(environment) as second:
            both = seconds([first, second])
        (again,) = seconds([first])  # a machine that became busy or calm meanwhile shows
    ratio = max(both) / np.mean([alone, again])
    print(f"{os.cpu_count()} cores, waiting threads {'stay awake' if options.active else 'sleep'}")
    print(f"one alone: {alone:.2f} s before, {again:.2f} s after; two at once: {both[0]:.2f} s and {both[1]:.2f} s")
    print(f"two at once / one alone: {ratio:.2f} (wanted: at most {BOUND})")
    return int(ratio > BOUND and not options.active)


if __name__ == "__main__":
    sys.exit(main())
