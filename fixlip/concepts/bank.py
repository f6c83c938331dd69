"""Banks of textual concepts, and the classes that a picture is sorted into: plain text files that anyone can write."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
TEMPLATES = ("a photo of a {}",)
_SHOWN = 60  # letters of a phrase in a message


@dataclass(frozen=True)
class Bank:
    """Textual concepts.

    Attributes:
        phrases: each once.
        groups: the heading that each stands under; "" where there is none.
        name: what to call it.

    Raises:
        ValueError: one sentence, if there are fewer than two phrases, or one is empty. Phrases that repeat are dropped,
            as in the published bank.
    """

    phrases: Sequence[str]
    groups: Sequence[str] = ()
    name: str = "bank"

    def __post_init__(self) -> None:
        phrases = _strings(self.phrases, "bank")
        groups = tuple(self.groups) or ("",) * len(phrases)
        if len(groups) != len(phrases):
            raise ValueError(f"groups: got {len(groups)}, wanted one for each of the {len(phrases)} phrases.")
        kept = {phrase: group for phrase, group in reversed(list(zip(phrases, groups, strict=True)))}
        kept = {phrase: kept[phrase] for phrase in dict.fromkeys(phrases)}
        if len(kept) < 2:
            told = "it is empty" if not kept else f"it holds {_short(phrases[0])!r} alone"
            raise ValueError(f"bank: {told}; wanted two different phrases at least, to tell them apart.")
        object.__setattr__(self, "phrases", tuple(kept))
        object.__setattr__(self, "groups", tuple(kept.values()))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Bank:
        """Read a bank from a text file in UTF-8.

        One phrase a line; lines that begin with `#` and empty lines do not count; a line in square brackets, such as
        `[colours]`, is the heading of the group that follows.

        Raises:
            ValueError: one sentence, if it cannot be read, or holds fewer than two phrases.
        """
        phrases, groups, group = [], [], ""
        for line in _lines(path, "bank"):
            if line.startswith("[") and line.endswith("]"):
                group = line[1:-1].strip()
            else:
                phrases.append(line)
                groups.append(group)
        return cls(tuple(phrases), tuple(groups), Path(path).stem)

    @classmethod
    def emoji(cls) -> Bank:
        """The bank of the embedded world: its 48 objects and 8 background colours, in the words of its captions.

        Parts, shapes and the objects' own colours are not in it: no caption that the embedded models were trained on
        has a word for them, so that what such a word meant to them would be chance.
        """
        return cls.read(_FOLDER / "emoji_bank.txt")

    def without(self, classes: Classes) -> Bank:
        """The bank without phrases that are, or hold, the name of a class, as the published bank is.

        Raises:
            ValueError: if fewer than two are left.
        """
        names = [f" {name.lower()} " for name in classes.names]
        kept = [k for k, one in enumerate(self.phrases) if not any(name in f" {one.lower()} " for name in names)]
        return Bank(tuple(self.phrases[k] for k in kept), tuple(self.groups[k] for k in kept), self.name)

    def group(self, heading: str) -> tuple[int, ...]:
        """Numbers of the phrases under a heading."""
        return tuple(k for k, one in enumerate(self.groups) if one == heading)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the phrases in their order."""
        return hashlib.sha256("\n".join(self.phrases).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.phrases)


@dataclass(frozen=True)
class Classes:
    """Classes for zero-shot classification, each with prompts whose embeddings are averaged.

    Attributes:
        names: each once.
        prompts: of each class, at least one.

    Raises:
        ValueError: one sentence, if there is no class, a name repeats, or a class has no prompt.
    """

    names: Sequence[str]
    prompts: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        names = _strings(self.names, "classes")
        if not names:
            raise ValueError("classes: there is none, wanted one at least.")
        if twice := [name for k, name in enumerate(names) if name in names[:k]]:
            raise ValueError(f"classes: {_short(twice[0])!r} appears twice; wanted each class once.")
        prompts = self.prompts or tuple(_fill(name, TEMPLATES) for name in names)
        if len(prompts) != len(names):
            raise ValueError(f"prompts: got those of {len(prompts)} classes, wanted {len(names)}.")
        checked = tuple(_strings(one, f"prompts of {name!r}") for name, one in zip(names, prompts, strict=True))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "prompts", checked)
        if bare := [name for name, one in zip(names, self.prompts, strict=True) if not one]:
            raise ValueError(f"prompts: {_short(bare[0])!r} has none, wanted one at least.")

    @classmethod
    def of(cls, names: Sequence[str], templates: Sequence[str] = TEMPLATES) -> Classes:
        """Classes whose prompts are templates with the name in place of `{}`.

        Raises:
            ValueError: one sentence, if a template has no `{}`, or for the reasons that `Classes` has.
        """
        filled = _strings(templates, "templates")
        if not filled:
            raise ValueError("templates: there is none, wanted one at least.")
        if wrong := [one for one in filled if one.count("{}") != 1]:
            raise ValueError(f"templates: got {_short(wrong[0])!r}, wanted one {{}} where the name of the class goes.")
        names = _strings(names, "classes")
        return cls(names, tuple(_fill(name, filled) for name in names))

    @classmethod
    def read(cls, path: str | os.PathLike[str], templates: Sequence[str] = TEMPLATES) -> Classes:
        """Read classes from a text file in UTF-8.

        One class a line, `#` begins a comment line. A line is a name, which templates make prompts of; or
        `name = prompt; another prompt`.

        Raises:
            ValueError: one sentence, if it cannot be read, or for the reasons that `Classes.of` has.
        """
        names, given = [], {}
        for line in _lines(path, "classes"):
            name, equals, prompts = (part.strip() for part in line.partition("="))
            names.append(name)
            if equals:
                given[name] = tuple(one.strip() for one in prompts.split(";") if one.strip())
        made = cls.of(names, templates)
        return cls(made.names, tuple(given.get(n, one) for n, one in zip(made.names, made.prompts, strict=True)))

    @classmethod
    def emoji(cls) -> Classes:
        """Twelve kinds of emoji scenes, with four objects each, which is their truth; no object is in two of them."""
        return cls.read(_FOLDER / "emoji_classes.txt")

    def __len__(self) -> int:
        return len(self.names)


def _fill(name: str, templates: Sequence[str]) -> tuple[str, ...]:
    return tuple(one.replace("{}", name) for one in templates)


def _strings(given: Sequence[str], name: str) -> tuple[str, ...]:
    """Phrases without blanks around them; ValueError unless each is a string with something in it."""
    if isinstance(given, str):
        raise ValueError(f"{name}: got the string {_short(given)!r}, wanted a list of strings.")
    for one in given:
        if not isinstance(one, str) or not one.strip():
            raise ValueError(f"{name}: got {one!r} among them, wanted strings with a word at least.")
    return tuple(" ".join(one.split()) for one in given)


def _lines(path: str | os.PathLike[str], name: str) -> Iterator[str]:
    """Lines that count, without blanks around them; a byte-order mark is left out."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: {str(path)!r} is no text in UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: cannot read {str(path)!r} ({reason}).") from None
    yield from (line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
