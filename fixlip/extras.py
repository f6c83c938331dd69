"""Optional packages: one way to ask for them, and one sentence where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def need(module: str, purpose: str, package: str | None = None) -> ModuleType:
    """Import an optional module.

    Args:
        module: its name, for example "sklearn".
        purpose: what it is needed for; begins the message, so name the argument if there is one.
        package: what to install, where that has another name than the module ("scikit-learn").

    Returns:
        the module.

    Raises:
        ValueError: one sentence that says what to install, or why an installed package cannot be imported.
    """
    package = package or module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # A module that is missing inside an installed package is another fault, and hiding it would mislead.
        if error.name is None or error.name.partition(".")[0] == module.partition(".")[0]:
            raise ValueError(f"{purpose}: needs {package}, which is not installed; pip install {package}.") from None
        raise ValueError(f"{purpose}: needs {package}, which cannot be imported ({error}).") from error
    except ImportError as error:
        raise ValueError(f"{purpose}: needs {package}, which cannot be imported ({error}).") from error
