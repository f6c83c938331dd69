"""Where a model comes from, and in one sentence why it does not come: a folder, the Hugging Face hub or its cache.

Nothing that lies beside a model's weights is ever run: code in a model's folder is refused, and transformers reads
pickled weights as tensors only.
"""

from __future__ import annotations

import difflib
import os
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLEAN = ("emoji-clip", "emoji-clip-fine", "emoji-clip-plain", "emoji-siglip")
# Models with a planted fault, and the one that binds colours to objects, beside which the bag of words is faulty.
PLANTED = ("emoji-clip-shortcut", "emoji-clip-reads", "emoji-clip-colours", "emoji-clip-bag")
EMBEDDED = CLEAN + PLANTED
_EMBEDDED_FOLDER = Path(__file__).parent.parent / "emoji" / "models"


@dataclass(frozen=True)
class Source:
    """A place from which transformers can load a model.

    Attributes:
        name: what the user called it.
        place: the folder, or the id on the hub.
        is_folder: which of both.
        offline: why the hub cannot be asked, so that only its local cache is left; "" if it can.
        revision: a branch, tag or commit of a hub model; None for its main branch.
    """

    name: str
    place: str
    is_folder: bool
    offline: str = ""
    revision: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it is a model that comes with this package."""
        return self.is_folder and Path(self.place).resolve().parent == _EMBEDDED_FOLDER.resolve()

    @classmethod
    def of(cls, name: str | os.PathLike[str], revision: str | None = None) -> Source:
        """Find the model that `name` names; ValueError if there can be none."""
        if revision is not None and (not isinstance(revision, str) or not revision):
            raise ValueError(f"revision: got {revision!r}, wanted a branch, a tag or a commit of a hub model.")
        text = os.fspath(name) if isinstance(name, str | os.PathLike) else None
        if not isinstance(text, str) or not text:
            raise ValueError(f"model: got {name!r}, wanted an embedded model, a folder, or the id of a hub model.")
        folder = _EMBEDDED_FOLDER / text if text in EMBEDDED else Path(text)
        if is_folder(folder):
            if revision is not None:
                raise ValueError(
                    f"revision: got {revision!r} for {text!r}, which is a folder; only hub models have any."
                )
            return cls(text, str(folder), True)
        from huggingface_hub import hf_hub_url
        from huggingface_hub.errors import HFValidationError

        try:
            hf_hub_url(text, "config.json")
        except HFValidationError:
            raise ValueError(_unknown(text, "no model on the Hugging Face hub can have such a name")) from None
        return cls(text, text, False, why_offline(text), revision)

    def fetch(self, auto: Any, **options: Any) -> Any:
        """What `auto` (a transformers Auto class) makes of it; any failure becomes one sentence."""
        local = self.is_folder or bool(self.offline)
        if self.revision is not None:
            options["revision"] = self.revision
        try:
            return auto.from_pretrained(self.place, local_files_only=local, trust_remote_code=False, **options)
        except Exception as error:  # damaged files make the libraries below raise anything
            raise ValueError(self.failure(error)) from error

    def failure(self, error: Exception) -> str:
        """Why this model could not be loaded, in one sentence."""
        from huggingface_hub import errors

        chain = list(_causes(error))
        if reason := _forbidden(chain):
            return f"model: {self.name!r} is not loaded: {reason}."
        if package := _missing_package(chain):
            return (
                f"model: {self.name!r} needs a package that is not installed; install it with `pip install {package}`."
            )
        if any("backend tokenizer" in str(cause) for cause in chain):
            return f"model: {self.name!r} has no tokenizer.json that can be read."
        if self.is_folder:
            said = _first_sentence(error)
            return f"model: the folder {self.name!r} holds no CLIP or SigLIP that can be loaded ({said})."
        # Hub errors are subclasses of each other: a gated repository is a repository that was not found.
        if _any(chain, errors.GatedRepoError):
            return (
                f"model: {self.name!r} is a gated repository; accept its terms on its page on the Hugging Face hub and "
                "log in with `hf auth login`."
            )
        if _any(chain, errors.RepositoryNotFoundError):
            return _unknown(
                self.name, "the Hugging Face hub has no public model of that name", "log in first if it is private"
            )
        if _any(chain, errors.RevisionNotFoundError):
            return f"revision: {self.name!r} on the Hugging Face hub has no branch, tag or commit {self.revision!r}."
        if _any(chain, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
            why = self.offline or f"the connection to the Hugging Face hub failed ({_first_sentence(chain[-1])})"
            return _unknown(
                self.name, f"{why}, and its local cache does not have the model", "load it once with a connection"
            )
        closest = next((cause for cause in chain if isinstance(cause, errors.HfHubHTTPError)), error)
        reason = _first_sentence(closest) + (f"; {self.offline}" if self.offline else "")
        return f"model: {self.name!r} from the Hugging Face hub cannot be loaded ({reason})."


def is_folder(path: Path) -> bool:
    """Whether this is a folder; a name that no file can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long or impossible
        return False


def _unknown(name: str, reason: str, advice: str = "") -> str:
    close = difflib.get_close_matches(name, EMBEDDED, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"check the spelling{advice and f', or {advice}'}."
    shown = name if len(name) <= 100 else name[:100] + "…"
    # A colon stands in names of open_clip's alone.
    found = "" if ":" in name else f" is neither an embedded model ({', '.join(EMBEDDED)}) nor a local folder;"
    return f"model: {shown!r}{found or ' cannot be loaded:'} {reason}; {hint}"


def why_offline(name: str) -> str:
    """Ask the hub once, quickly, for the model's page: its own client would retry for half a minute.

    Its own client is also used here, because it knows proxies, certificates and mirrors as the download will.
    """
    from huggingface_hub import constants, get_session, hf_hub_url, is_offline_mode

    if is_offline_mode():
        return "the Hugging Face hub is switched off (HF_HUB_OFFLINE)"
    patience = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else 5
    try:
        answer = get_session().head(hf_hub_url(name, "config.json"), timeout=patience)
    except Exception as error:  # no connection, no such host, a dead proxy, a wrong certificate, no time
        return f"the Hugging Face hub cannot be reached ({_first_sentence(error)})"
    broken = answer.status_code >= 500 or answer.status_code == 407
    return f"the Hugging Face hub cannot be reached (status {answer.status_code})" if broken else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _any(chain: list[BaseException], kinds: Any) -> bool:
    return any(isinstance(error, kinds) for error in chain)


def _forbidden(chain: list[BaseException]) -> str:
    """Why a model is refused whose libraries would advise to load it unsafely; "" otherwise."""
    text = " ".join(str(error) for error in chain)
    if "trust_remote_code" in text:
        return "it brings code of its own, which is never run here; wanted a CLIP or SigLIP that transformers knows"
    if "weights_only" in text or _any(chain, pickle.UnpicklingError):
        return "its weights are a pickle that is damaged or cannot be read safely; wanted model.safetensors"
    return ""


def _missing_package(chain: list[BaseException]) -> str:
    """The package that an exception says is missing; "" if none is."""
    text = " ".join(str(error) for error in chain if isinstance(error, ImportError))
    if "sentencepiece" in text.lower():
        return "sentencepiece protobuf"  # one asks for the other
    found = re.search(r"requires the (\S+) library", text) or re.search(r"No module named '([\w-]+)", text)
    return found.group(1).lower() if found else ""


def _first_sentence(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0].split(". ")[0].rstrip(".:")
