"""`python -m fixlip doctor`: what is installed, what is missing, which device and precision will be used."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from . import __version__

NEEDED = ("torch", "transformers", "numpy", "scipy", "pillow", "tqdm")
OPTIONAL = {
    "jupyterlab": "the course",
    "ipywidgets": "the widgets",
    "anywidget": "the widgets",
    "bokeh": "figures of experiments",
    "joblib": "experiments with workers",
    "scikit-learn": "the tree proxy",
    "shapiq": "interchange and tests",
    "sentencepiece": "SigLIP models from the hub",
    "pandas": "tables as data frames",
}


def report() -> tuple[str, bool]:
    """What `doctor` prints, and whether everything that is needed is there."""
    lines = [f"FIxLIP-Lab {__version__}, Python {sys.version.split()[0]}, {platform.system()} {platform.machine()}", ""]
    missing = []
    for name in NEEDED:
        version = _version(name)
        lines.append(f"  {name:<14}{version or 'MISSING: pip install ' + name}")
        missing += [] if version else [name]
    lines.append("")
    for name, purpose in OPTIONAL.items():
        version = _version(name)
        lines.append(f"  {name:<14}{version or 'not installed'}  (for {purpose})")
    lines.append("")
    if missing:
        lines.append(f"Missing: {', '.join(missing)}.")
    else:
        lines += _devices()
    return "\n".join(lines), not missing


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    from .encoders.loading import load
    from .encoders.sources import EMBEDDED

    lines = [f"  processor     {torch.get_num_threads()} threads"]
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        lines.append(f"  GPU           {torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    else:
        lines.append("  GPU           none that torch can use")
    for name in EMBEDDED:
        encoder = load(name)
        precision = str(encoder.dtype).removeprefix("torch.")
        lines.append(f"  {name:<14}loads, on {encoder.device}, in {precision}, {encoder.batch_size} masks at a time")
    return [*lines, "", "All is well."]
