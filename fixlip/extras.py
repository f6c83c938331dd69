"""Optional packages: what each is for, how it is installed, and one way to say that it is missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class Extra(NamedTuple):
    """An optional package: its purpose, the extra of fixlip-lab that brings it (if any), its name in `import`."""

    purpose: str
    extra: str | None
    module: str


# By the name that pip knows; a test compares the second column with pyproject.toml.
OPTIONAL = {
    "jupyterlab": Extra("the course", "notebooks", "jupyterlab"),
    "ipywidgets": Extra("the widgets", "notebooks", "ipywidgets"),
    "anywidget": Extra("the widgets", "notebooks", "anywidget"),
    "bokeh": Extra("figures of experiments", "notebooks", "bokeh"),
    "joblib": Extra("experiments with workers", "experiments", "joblib"),
    "distributed": Extra("experiments on a Dask cluster", None, "distributed"),
    "datasets": Extra("experiments on MS COCO and ImageNet", None, "datasets"),
    "scikit-learn": Extra("the tree proxy", "trees", "sklearn"),
    "shapiq": Extra("interchange with shapiq", None, "shapiq"),
    "sentencepiece": Extra("SigLIP models from the hub", None, "sentencepiece"),
    "pandas": Extra("tables as data frames", None, "pandas"),
}


class MissingPackage(ImportError, ValueError):
    """An optional package is not installed. A ValueError too: the command line answers those in one sentence."""


def install_command(name: str) -> str:
    """What to type to install an optional package."""
    extra = OPTIONAL[name].extra
    return f'pip install "fixlip-lab[{extra}]"' if extra else f"pip install {name}"


def need(name: str, argument: str) -> ModuleType:
    """Import an optional package, or say what to do.

    Args:
        name: one of `OPTIONAL`.
        argument: what asked for it, as the message's first word.

    Raises:
        MissingPackage: one sentence with the command that installs it.
    """
    try:
        return import_module(OPTIONAL[name].module)
    except ImportError:
        raise MissingPackage(f"{argument}: {name} is not installed; `{install_command(name)}`.") from None
