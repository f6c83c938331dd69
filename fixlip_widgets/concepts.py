"""What do both sides know? Visual concepts of a picture, their words, and those of a class, with the overlap."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from fixlip.concepts import MEASURES, ImageConcepts, Study
from fixlip.pictures import Picture, to_png
from fixlip.pictures.concepts import UNITS, draw_concepts, draw_deletion, facts_of, headline, outlined, sides_of
from fixlip.pictures.drawing import DEVICE, hex_of, ink_on
from fixlip.pictures.outlines import colour_for, letter_of

from .controls import labelled, side_by_side
from .panel import Panel, State, callback
from .readouts import readout, table
from .views import FOLDER

Images = Mapping[str, Any] | Iterable[Any]
PREDICTED = "the predicted one"
_WIDTH = 400  # of the outlined picture, CSS pixels


@dataclass(frozen=True, eq=False)
class Shown:
    """What was found in one picture, and its name."""

    name: str
    found: ImageConcepts


class ConceptState(State):
    """A picture, a class, and how many of the image side's words are struck out.

    Traits: `image` (a name of `images`), `target` (a class, or `PREDICTED`), `measure` (one of `MEASURES`), `struck`
    (how many words are struck out, the most important first), `shown` (of an earlier choice until `find` is done).

    Attributes:
        images: pictures by name, or what was found in them.
    """

    image = traitlets.Unicode()
    target = traitlets.Unicode(PREDICTED)
    measure = traitlets.Enum(list(MEASURES), MEASURES[0])
    struck = traitlets.Int(0, min=0)
    shown = traitlets.Instance(Shown)

    def __init__(self, study: Study, images: Images) -> None:
        if not isinstance(study, Study):
            raise ValueError(f"study: got {type(study).__name__}, wanted a fixlip.concepts.Study.")
        self.study, self.images = study, named(images)
        for name, one in self.images.items():
            if isinstance(one, ImageConcepts) and (one.bank, one.classes) != (study.bank, study.classes):
                raise ValueError(f"images: {name!r} was found with another bank or other classes than the study's.")
        self._known: dict[str, ImageConcepts] = {}
        super().__init__(image=next(iter(self.images)))
        self.shown = self.find(self.image)

    def knows(self, name: str) -> bool:
        """Whether a picture can be shown without the model."""
        return name in self._known or isinstance(self.images[name], ImageConcepts)

    def find(self, name: str) -> Shown:
        """What is in a picture; the model is asked when it is first wanted."""
        given = self.images[name]
        if not self.knows(name):
            self._known[name] = self.study.image(given)
        return Shown(name, given if isinstance(given, ImageConcepts) else self._known[name])

    @property
    def found(self) -> ImageConcepts:
        """What is shown, against the class chosen."""
        found = self.shown.found
        target = found.prediction if self.target == PREDICTED else self.target
        return self.study.towards(found, target)


def named(images: Images) -> dict[str, Any]:
    """Pictures by name; those of a list are numbered from 1.

    Raises:
        ValueError: one sentence, if there is none, or what was found in one was kept without the picture.
    """
    given = dict(images) if isinstance(images, Mapping) else {f"image {k}": one for k, one in enumerate(images, 1)}
    if not given:
        raise ValueError("images: there is none, wanted one at least.")
    for name, one in given.items():
        if isinstance(one, ImageConcepts) and one.shown is None:
            raise ValueError(f"images: {name!r} was kept without its picture; wanted what Study.images gives.")
    return {str(name): one for name, one in given.items()}


class Concepts(Panel):
    """Choose a picture and a class: visual concepts outlined, their words, what both sides share, and what chance does.

    Args:
        study: encoder, classes and bank.
        images: files, Pillow images, arrays, or what `Study.images` found in them; in a list, or by name. Each is
            looked at when it is first chosen.
    """

    def __init__(self, study: Study, images: Images) -> None:
        self.state = ConceptState(study, images)
        self.image = labelled(ipywidgets.Dropdown(options=list(self.state.images)), "image")
        self.target = labelled(ipywidgets.Dropdown(options=[PREDICTED, *study.classes.names]), "class")
        self.measure = labelled(ipywidgets.Dropdown(options=[(UNITS[one], one) for one in MEASURES]), "measure")
        self.struck = labelled(ipywidgets.IntSlider(0, min=0, max=1), "words struck out")
        self.view, self.words, self.curve = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        left = ipywidgets.VBox([self.view, self.words])
        right = ipywidgets.VBox([self.measure, self.struck, self.curve])
        super().__init__(self.state, [side_by_side(self.image, self.target), side_by_side(left, right)])
        style = (FOLDER / "pair.css").read_text("utf-8")
        styles = ipywidgets.HTML(f"<style>{style}</style>", layout={"display": "none"})
        self.set_trait("children", (styles, *self.contents, self.children[-1]))  # a saved page has them anyway
        for name in ("image", "target", "measure", "struck"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._look, "image")
        self.state.observe(self._show, ["shown", "target"])
        self.state.observe(self._measure, ["measure", "struck"])
        self._show(None)

    @callback
    def _look(self, _: Any) -> None:
        if self.state.knows(self.state.image):
            self.state.shown = self.state.find(self.state.image)
            return
        self.say("asking the model …")
        self.in_background(self._find)

    def _find(self) -> None:
        shown = self.state.find(self.state.image)
        with self.lock:
            self.check_cancelled()
            self.say()
            if shown.name == self.state.image:  # else another one was chosen meanwhile, which is looked at next
                self.state.shown = shown

    @callback
    def _show(self, _: Any) -> None:
        found = self.state.found
        self.struck.max = max(1, len(found.visual))  # a slider wants some room
        self.struck.disabled = not found.visual
        self.state.struck = min(self.state.struck, len(found.visual))
        self.view.value = _img(outlined(found, _WIDTH), f"of {self.state.shown.name}: ")
        self._measured(found)

    @callback
    def _measure(self, _: Any) -> None:
        self._measured(self.state.found)

    def _measured(self, found: ImageConcepts) -> None:
        """The words, struck out as far as they are, and the curve."""
        struck = min(self.state.struck, len(found.visual))
        self.words.value = _words(found, struck)
        drawn = draw_deletion(found, self.state.measure, struck=struck)
        step = found.steps[struck]
        measured, chance = step.measured(self.state.measure), step.chance(self.state.measure)
        told = f"{UNITS[self.state.measure]}: <b>{measured:.3f}</b>, by chance {chance.mean:.3f} ± {chance.std:.3f}"
        shared = f"shared: <b>{step.shared}</b>, by chance {step.expected:.2f}"
        area = f"area under the curve: {found.area(self.state.measure):.3f}"
        self.curve.value = (_img(drawn) if drawn else "") + readout(f"{told}<br>{shared}<br>{area}")

    def picture(self) -> Picture:
        """The picture with its concepts, their words and both sides."""
        with self.lock:
            return draw_concepts(self.state.found)


def _words(found: ImageConcepts, struck: int) -> str:
    """Words of the visual concepts and of both sides, as HTML."""
    gone = set(found.visual[:struck])

    def told(number: int) -> str:
        phrase = html.escape(found.bank.phrases[number])
        phrase = f"<b>{phrase}</b> (shared)" if number in found.shared else phrase
        return f"<s>{phrase}</s>" if number in gone else phrase

    rows = [[_badge(one.part), ", ".join(told(word) for word in one.words)] for one in found.concepts]
    regions = table(["concept", "its words"], rows, figures=2) if rows else "<p>no visual concepts</p>"
    sides = [[name, html.escape(", ".join(words) or "none")] for name, words in sides_of(found)]
    facts = "".join(f"<p>{html.escape(fact)}</p>" for fact in facts_of(found))
    return readout(f"<b>{html.escape(headline(found))}</b>", regions, table(["known to", ""], sides, figures=2), facts)


def _badge(part: int) -> str:
    colour = colour_for(part)
    style = f"background:{hex_of(colour)};color:{hex_of(ink_on(colour))};padding:1px 8px;border-radius:9px"
    return f'<span style="{style}">{letter_of(part)}</span>'


def _img(picture: Picture, before: str = "") -> str:
    """A picture as HTML, with its words for who cannot see it."""
    data = base64.b64encode(to_png(picture.image, compact=True)).decode("ascii")
    size = f'width="{picture.image.width // DEVICE}" style="max-width:100%;height:auto"'
    return f'<img src="data:image/png;base64,{data}" {size} alt="{html.escape(before + picture.words)}">'
