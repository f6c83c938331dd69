"""From a slider's event to the changed picture, in a real browser: `python tests/benchmarks/latency.py`.

Starts JupyterLab in headless Chromium, presses an arrow key on the Explorer's p slider again and again, and measures in
the page how long it takes until what is drawn has changed. Prints median and 90th percentile, in milliseconds.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from lab import running_notebook

CELLS = [
    "import fixlip, fixlip_widgets as widgets\n"
    "scene = fixlip.emoji.scene(7)\n"
    "game = fixlip.Game(fixlip.load('emoji-clip'), scene.image, scene.caption)\n"
    "explorer = widgets.Explorer(fixlip.sample(game, 512, progress=False)); explorer.add_class('the-explorer')\n"
    "explorer"
]
PRESSES = 40
# The time from the key event to the first frame after the drawing changed.
WATCH = """() => new Promise((done) => {
  const drawn = document.querySelector('.the-explorer .fixlip');
  let start;
  document.addEventListener('keydown', () => { start = performance.now(); }, { once: true, capture: true });
  const before = drawn.dataset.shown;
  const look = () => {
    if (start && drawn.dataset.shown !== before) done(performance.now() - start);
    else requestAnimationFrame(look);
  };
  look();
})"""


def main():
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, running_notebook(home, CELLS, ".the-explorer .chip") as (page, _):
        page.locator(".the-explorer .noUi-handle").first.focus()
        times = []
        for press in range(PRESSES):
            page.evaluate(f"void (window.timed = ({WATCH})())")
            page.keyboard.press("ArrowRight" if press < PRESSES / 2 else "ArrowLeft")
            times.append(page.evaluate("window.timed"))
    print(f"{PRESSES} key presses: median {np.median(times):.0f} ms, 90th percentile {np.quantile(times, 0.9):.0f} ms")


if __name__ == "__main__":
    main()
