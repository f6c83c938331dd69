"""Where and how a model runs: its device, its precision, its batch size, and the processes that can run it."""

from __future__ import annotations

import os
import re
import warnings

import torch

from ..masks import check_count

# "auto" loads in float32; what it comes to is settled when the model is there (`speed.choose_precision`).
DTYPES = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}

# The process in which a model was first used, see `check_process`.
_first_process: int | None = None


def choose_device(device: str | torch.device) -> torch.device:
    """The device that `device` names; "auto" is a GPU if there is one.

    Raises:
        ValueError: if torch cannot compute there, which is tried.
    """
    usable = ["cpu"]
    if torch.cuda.is_available():
        usable.insert(0, "cuda")
    if torch.backends.mps.is_available():
        usable.insert(0, "mps")
    if isinstance(device, str) and device == "auto":
        return torch.device(usable[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about device types that torch has given up
            chosen = torch.device(device)
        # Reading a result back shows devices that only describe tensors ("meta") for what they are.
        computes = float((torch.ones(2, device=chosen) * 2).sum()) == 4
        why = ""
    except Exception as error:  # torch raises almost anything here, from AssertionError to ModuleNotFoundError
        computes, why = False, str(error).split("\n")[0].split(". ")[0]
    if not computes:
        # Most of torch's reasons are about its inside, or list all devices that it was ever written for.
        because = f" ({why})" if re.search("CUDA|compiled|memory", why) and "aten::" not in why else ""
        raise ValueError(
            f"device: {str(device)!r} is not available on this machine{because}; "
            f"wanted one of auto, {', '.join(usable)}."
        ) from None
    return chosen


def choose_dtype(dtype: str) -> torch.dtype:
    """The precision that `dtype` names; ValueError if it is none."""
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype: got {str(dtype)!r}, wanted one of {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def choose_batch_size(batch_size: int | str, device: torch.device) -> int:
    """How many masked inputs go through the model at a time; ValueError unless a whole number or "auto"."""
    if isinstance(batch_size, str):
        if batch_size != "auto":
            raise ValueError(f'batch_size: got {batch_size!r}, wanted a whole number or "auto".')
        return 64 if device.type == "cpu" else 512
    return check_count(batch_size, "batch_size")


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on the device; a GPU fetches it when its turn comes, and nobody waits for what it does before."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception means that memory ran out, on whichever device."""
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )


def check_process() -> None:
    """Refuse to use a model in a process that was forked after a model was used.

    `fork` copies a process without its threads, and torch's OpenMP would wait for them for ever.

    Raises:
        RuntimeError: in such a process, unless torch uses a single thread there.
    """
    global _first_process
    here = os.getpid()
    if _first_process is None:
        _first_process = here
    if _first_process != here and torch.get_num_threads() > 1:
        raise RuntimeError(
            "encoder: this process was forked after a model had been used, and torch would wait for ever for threads "
            'that a fork does not copy; start processes with "spawn" (multiprocessing.get_context("spawn")), or call '
            "torch.set_num_threads(1) in them first."
        )
