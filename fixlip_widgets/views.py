"""What is drawn in the page: a pair of image and caption, and curves. The drawing is in the .js files beside this."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from fixlip import Explanation

FOLDER = Path(__file__).parent


class PairView(anywidget.AnyWidget):
    """Image patches and caption words with values, or present and absent.

    In the mode "explain" hovering conditions on a player (drawn in the page, without the kernel) and a click keeps it,
    whereafter hovering tells single interactions; in the mode "mask" a click takes a player away or brings it back,
    if the view is `live`.
    Every player can be reached by keyboard: Tab, arrow keys among patches, Enter.

    Traits of what is drawn: `values` (n,), `interactions` (n, n) and their standard errors `errors` and `pair_errors`
    (nothing where unknown), all float32 in logits; `notes`, a list of [player, text] written on players in the mode
    "mask", and `words` below.
    """

    _esm = FOLDER / "pair.js"
    _css = FOLDER / "pair.css"
    image = traitlets.Unicode().tag(sync=True)
    grid = traitlets.List([1, 1]).tag(sync=True)
    tokens = traitlets.List().tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)
    errors = traitlets.Bytes(b"").tag(sync=True)
    interactions = traitlets.Bytes(b"").tag(sync=True)
    pair_errors = traitlets.Bytes(b"").tag(sync=True)
    notes = traitlets.List().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    present = traitlets.List().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    mode = traitlets.Enum(["explain", "mask"], "explain").tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)
    scale = traitlets.Float(0.0).tag(sync=True)
    scaling = traitlets.Enum(["joint", "separate"], "joint").tag(sync=True)
    edges = traitlets.Int(6, min=0).tag(sync=True)

    @classmethod
    def of_players(cls, players: Any, **traits: Any) -> PairView:
        """A view of players without values.

        Raises:
            ValueError: if the image players form no grid, or there is no image to show.
        """
        return cls(**cls.who(players), present=[True] * players.n_players, **traits)

    @staticmethod
    def who(players: Any) -> dict[str, Any]:
        """The traits that say who plays."""
        if players.grid is None or players.image is None:
            raise ValueError("players: a widget wants image patches on a grid and the image itself; there is none.")
        tokens = list(players.labels[players.n_image :])
        values = np.zeros(players.n_players, np.float32).tobytes()
        return {"image": data_uri(players.image), "grid": list(players.grid), "tokens": tokens, "values": values}

    def show(self, explanation: Explanation) -> None:
        """Show an explanation's numbers."""
        who = self.who(explanation.subject)
        with self.hold_sync():
            if self.tokens != who["tokens"]:
                self.image, self.grid, self.tokens = who["image"], who["grid"], who["tokens"]
                self.selected = -1
            errors = explanation.stderr or (np.zeros(0), np.zeros(0))
            self.values, self.interactions, self.errors, self.pair_errors = (
                numbers.astype(np.float32).tobytes()
                for numbers in (explanation.attributions, explanation.interactions, *errors)
            )


class CurveView(anywidget.AnyWidget):
    """Curves over the share of the input removed.

    Traits: `curves`, a list of {name, y, colour, dash}, all of one length; `at`, the point that is marked; `words`,
    what the picture says.
    """

    _esm = FOLDER / "curves.js"
    curves = traitlets.List().tag(sync=True)
    at = traitlets.Int(-1).tag(sync=True)
    words = traitlets.Unicode("curves").tag(sync=True)


def data_uri(image: Any) -> str:
    """A picture as a data URI, at most 448 pixels wide."""
    picture = Image.fromarray(np.asarray(image)).convert("RGB")
    picture.thumbnail((448, 448))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
