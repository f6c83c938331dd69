"""What was published: the games and the figures that `reproduce` sets its own beside, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from ..metrics.pointing_game import IMAGENET_CLASSES, PUBLISHED_GAMES
from .settings import FIXLIP, METAGAME

Labels = tuple[str, str, str, str]


@dataclass(frozen=True)
class Games:
    """Mosaics of a published pointing game.

    Attributes:
        tuples: what the four pictures of each mosaic show, in reading order.
        classes: number of each label's class in ImageNet-1k.
        cropped: whether a picture is cut to its middle square; else it is squeezed into one.
        each: mosaics of each tuple.
    """

    tuples: tuple[Labels, ...]
    classes: dict[str, int]
    cropped: bool
    each: int = 50


GAMES = {
    # Baniecki et al., NeurIPS 2025, pointing game; `metrics.pointing_game` has them.
    "published": Games(PUBLISHED_GAMES, IMAGENET_CLASSES, cropped=False),
    # Baniecki, Biecek, Fumagalli, arXiv 2605.06295; tuples, classes and cropping as in their code.
    "metagame": Games(
        (
            ("fish", "koala", "balloon", "laptop"),
            ("koala", "plane", "church", "lemon"),
            ("plane", "balloon", "jeep", "pizza"),
            ("balloon", "church", "laptop", "acorn"),
            ("church", "jeep", "lemon", "fish"),
            ("jeep", "laptop", "pizza", "koala"),
            ("laptop", "lemon", "acorn", "plane"),
            ("lemon", "pizza", "fish", "balloon"),
            ("pizza", "acorn", "koala", "church"),
            ("acorn", "fish", "plane", "jeep"),
        ),
        {
            "fish": 0,
            "koala": 105,
            "plane": 404,
            "balloon": 417,
            "church": 497,
            "jeep": 609,
            "laptop": 620,
            "lemon": 951,
            "pizza": 963,
            "acorn": 988,
        },
        cropped=True,
    ),
}

SOURCES = {
    "note": "a public note on Baniecki et al. (NeurIPS 2025, arXiv 2508.05430) that quotes the paper: secondary, not "
    "checked against the paper itself",
    "rows": "means over the first rows of the table of all scores in the code repository of arXiv 2605.06295: primary, "
    "but only these rows were read, so the figure is approximate",
}
NOT_FOUND = "not found"


@dataclass(frozen=True)
class Figure:
    """One published figure, and where to look for its like in a table measured here.

    Attributes:
        part: of the protocol: a key of `reproduce.PARTS`.
        experiment: whose table has it.
        method: as published.
        here: names that the table may have for it; it has one of them at most.
        where: which rows, by column.
        score: column that is averaged.
        what: the figure, in words.
        value: as published, or NOT_FOUND.
        model: that it was published for.
        source: a key of SOURCES; empty if nothing was found.
    """

    part: str
    experiment: str
    method: str
    here: tuple[str, ...]
    where: dict[str, str]
    score: str
    what: str
    value: str
    model: str
    source: str


FIXLIP_SHAPLEY = "FIxLIP (Shapley interactions)"
_CLIP32, _CLIP16, _SIGLIP = "CLIP ViT-B/32", "CLIP ViT-B/16", "SigLIP-2 ViT-B/32-256"
# What tells their configurations: type, width of the image tower, patch and image size in pixels.
ARCHITECTURES = {
    ("clip", 768, 32, 224): _CLIP32,
    ("clip", 768, 16, 224): _CLIP16,
    ("siglip", 768, 32, 256): _SIGLIP,
}
_FIRST = "first order, such as Grad-ECLIP"
# Which names methods have in the tables of experiments; one that is not run there yet has no number here.
_HERE = {
    "GAME": ("GAME",),
    "Grad-ECLIP": ("Grad-ECLIP",),
    "Shapley values": ("Shapley values",),
    "exCLIP": ("exCLIP",),
    FIXLIP_SHAPLEY: (FIXLIP_SHAPLEY,),
    FIXLIP: (FIXLIP,),
    _FIRST: ("Grad-ECLIP",),
    "metagame of Grad-ECLIP": (METAGAME,),
}


def _recognition() -> list[Figure]:
    """Table 1: pointing game recognition by number of objects named."""
    found = {
        "GAME": (".61", ".43", ".33", ".28"),
        "Grad-ECLIP": (".68", ".45", ".33", ".28"),
        "Shapley values": (".70", ".56", ".46", ".37"),
        "exCLIP": (".73", ".88", ".89", ".92"),
        FIXLIP_SHAPLEY: (".83", ".82", ".84", ".86"),
        FIXLIP: (".83", ".81", ".83", ".85"),
    }
    figures = [
        _game("published", name, "0.7" if name == FIXLIP else "", k, value, _CLIP32, "note")
        for name, values in found.items()
        for k, value in enumerate(values, 1)
    ]
    figures += [_game("published", FIXLIP, p, k, NOT_FOUND, _CLIP32, "") for p in ("0.3", "0.5") for k in range(1, 5)]
    return [*figures, _game("published", FIXLIP, "0.7", 1, "about .90 (which p: not said)", _SIGLIP, "note")]


def _game(
    part: str, method: str, p: str, objects: int, value: str, model: str, source: str, caption: str = ""
) -> Figure:
    where = {"objects": str(objects)} | ({"p": p} if p else {}) | ({"caption": caption} if caption else {})
    named = f'"{caption}" named' if caption else f"{objects} object{'s' if objects > 1 else ''} named"
    what = f"pointing game recognition, {named}" + (f", p = {p}" if p else "")
    return Figure(part, "pointing-game", method, _HERE[method], where, "pgr", what, value, model, source)


def _pairs() -> list[Figure]:
    """Figures 3 and 4: areas between curves, and faithfulness."""
    figures = [
        Figure(
            "pairs",
            "insertion-deletion",
            name,
            _HERE[name],
            {"p": "0.5"} if name == FIXLIP else {},
            "aid",
            "area between insertion and deletion curve" + (", p = 0.5" if name == FIXLIP else ""),
            value,
            _CLIP32,
            "note",
        )
        for name, value in (
            (FIXLIP, f"{NOT_FOUND} (said to be the highest)"),
            ("exCLIP", f"{NOT_FOUND} (said to be medium)"),
            ("Grad-ECLIP", f"{NOT_FOUND} (said to be low)"),
            ("GAME", f"{NOT_FOUND} (said to be low)"),
        )
    ]
    for p in ("0.3", "0.5", "0.7"):
        for name, value in ((FIXLIP, "close to 1.0 (which p: not said)"), (_FIRST, "about .5 (which p: not said)")):
            what, where = f"p-faithfulness, rank correlation, p = {p}", {"p": p, "at": p}
            figures.append(
                Figure("pairs", "faithfulness", name, _HERE[name], where, "spearman", what, value, _CLIP32, "note")
            )
    return figures


def _metagame() -> list[Figure]:
    found = (
        ("Grad-ECLIP", 1, "fish", "about .69"),
        ("metagame of Grad-ECLIP", 1, "fish", "about .72"),
        ("Grad-ECLIP", 3, "balloon church laptop", "about .31"),
        ("metagame of Grad-ECLIP", 3, "balloon church laptop", "about .83"),
    )
    return [_game("metagame", name, "", k, value, _CLIP16, "rows", caption) for name, k, caption, value in found]


FIGURES = (*_pairs(), *_recognition(), *_metagame())
