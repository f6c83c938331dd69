"""`python -m fixlip doctor`: what is installed, what is missing, which device and precision will be used.

In a notebook, whose process may have loaded torch before fixlip: `print(fixlip.doctor.report()[0])` after
`import fixlip.doctor`.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

from . import __version__, _torch_came_first

NEEDED = ("torch", "transformers", "numpy", "scipy", "pillow", "tqdm")
OPTIONAL = {
    "jupyterlab": "the course",
    "ipywidgets": "the widgets",
    "anywidget": "the widgets",
    "bokeh": "figures of experiments",
    "matplotlib": "pictures as PDF",
    "joblib": "experiments with workers",
    "distributed": "work on a Dask cluster",
    "datasets": "experiments on MS COCO and ImageNet",
    "scikit-learn": "the tree proxy and concepts",
    "scikit-image": "superpixels as players",
    "shapiq": "interchange and tests",
    "sentencepiece": "SigLIP models from the hub",
    "open_clip_torch": "models of open_clip",
    "pandas": "tables as data frames",
}
WIDTH = 2 + max(map(len, [*NEEDED, *OPTIONAL]))


def report() -> tuple[str, bool]:
    """What `doctor` prints, and whether everything that is needed is there."""
    lines = [f"FIxLIP-Lab {__version__}, Python {sys.version.split()[0]}, {platform.system()} {platform.machine()}", ""]
    versions = {name: _version(name) for name in NEEDED}
    missing = [name for name, version in versions.items() if not version]
    lines += [_line(name, version or f"MISSING: pip install {name}") for name, version in versions.items()]
    lines.append("")
    for name, purpose in OPTIONAL.items():
        lines.append(_line(name, f"{_version(name) or f'not installed: pip install {name}'}  (for {purpose})"))
    lines.append("")
    if missing:
        lines.append(f"Missing: {', '.join(missing)}.")
    else:
        lines += _devices()
    return "\n".join(lines), not missing


def _line(name: str, text: str) -> str:
    """Two columns; a name that is longer than the first is still followed by two blanks."""
    return f"  {name:<{WIDTH - 2}}  {text}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    from .encoders.devices import choose_device
    from .encoders.loading import load
    from .encoders.sources import EMBEDDED
    from .encoders.speed import native_half

    policy, warning = waiting()
    lines = [_line("processor", f"{torch.get_num_threads()} threads; {policy}")]
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        lines.append(_line("GPU", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB"))
    else:
        lines.append(_line("GPU", "none that torch can use"))
    half = native_half(choose_device("auto"))
    told = "float32" if half is None else f"matrix products in {str(half).removeprefix('torch.')} if a check allows it"
    lines.append(_line("large-models", f"{told} (encoder.why_precision says what was chosen)"))
    for name in EMBEDDED:
        encoder = load(name)
        precision = str(encoder.dtype).removeprefix("torch.")
        lines.append(_line(name, f"loads, on {encoder.device}, in {precision}, {encoder.batch_size} masks at a time"))
    return [*lines, "", warning or "All is well."]


def waiting() -> tuple[str, str]:
    """How this process's threads wait, and what to do about it if torch was loaded too early (else an empty text)."""
    policy = os.environ.get("OMP_WAIT_POLICY", "").upper()
    if policy == "PASSIVE" and not _torch_came_first:
        return "waiting threads sleep", ""
    warning = (
        "Something loaded torch before fixlip: its threads burn their cores while they wait, and two processes\n"
        "slow each other down ten times and more. Write `import fixlip` before `import torch`, or set\n"
        "OMP_WAIT_POLICY=PASSIVE in the environment before Python starts."
    )
    return "waiting threads keep their cores busy", warning if _torch_came_first else ""
