"""An encoder on its way to other processes: by name where it was loaded by one, else pickled."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from ..extras import need
from .loading import load
from .protocol import AnyEncoder, check_is_encoder


@dataclass(frozen=True)
class Sent:
    """What another process needs to have an encoder.

    Attributes:
        name: of the encoder, for messages.
        key: what tells it from others: the model's fingerprint, or a digest of `pickled`.
        recipe: what `fixlip.load` is to be given, as sorted pairs; empty where the encoder is pickled.
        multiplies_in: the precision of matrix products, as was chosen where it was loaded first.
        pickled: the encoder itself.
    """

    name: str
    key: str
    recipe: tuple[tuple[str, Any], ...] = ()
    multiplies_in: torch.dtype | None = None
    pickled: bytes = b""

    @classmethod
    def of(cls, encoder: AnyEncoder) -> Sent:
        """Make an encoder ready to be sent.

        One from `fixlip.load` goes by its name, and is loaded anew in the same precision on the device that was asked
        for, so that "auto" finds a worker's GPU. Any other is pickled whole.

        Raises:
            TypeError: if this is no encoder.
            ValueError: one sentence, if it cannot be pickled.
        """
        check_is_encoder(encoder)
        recipe: dict[str, Any] | None = getattr(encoder, "recipe", None)
        if recipe is not None:
            found: Any = encoder
            options = recipe | {"dtype": str(found.dtype).removeprefix("torch.")}
            return cls(found.name, found.fingerprint, tuple(sorted(options.items())), found.multiplies_in)
        try:
            pickled: bytes = need("cloudpickle", "dask").dumps(encoder)
        except Exception as error:  # anything may be inside, and raise anything
            raise ValueError(
                f"encoder: {encoder.name!r} cannot be sent to workers ({_told(error)}); wanted one from fixlip.load, "
                "or one of your own that pickle can write."
            ) from None
        return cls(encoder.name, hashlib.sha256(pickled).hexdigest(), pickled=pickled)

    def open(self) -> AnyEncoder:
        """The encoder, the same one whenever this process asks for it.

        Raises:
            ValueError: one sentence, if it cannot be had here, or another model has its name here.
        """
        return _open(self)

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=1)
def _open(sent: Sent) -> AnyEncoder:
    if not sent.recipe:
        try:
            unpickled: AnyEncoder = pickle.loads(sent.pickled)
        except Exception as error:
            raise ValueError(
                f"encoder: the workers cannot read {sent.name!r} ({_told(error)}); they need the modules that it is "
                "written with, and its device."
            ) from None
        return unpickled
    encoder = load(**dict(sent.recipe))
    encoder.name, encoder.multiplies_in = sent.name, sent.multiplies_in
    if encoder.fingerprint != sent.key:
        raise ValueError(
            f"encoder: where the workers run, the model {sent.name!r} has other weights than here; wanted the same "
            "files, or a revision that does not move."
        )
    return encoder


def _told(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
