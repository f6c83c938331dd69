"""Render the sprite sheet from Noto Color Emoji: `python -m fixlip.emoji.make_sprites`.

Needed only to change the set of objects; the sheet is shipped, the font is not. The words are plain English nouns
whose pictures cannot be mistaken for one another, ten of them close to the classes of the paper's pointing game.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"  # Debian package fonts-noto-color-emoji
FONT_SIZE = 109  # the only size at which the font holds bitmaps, of 136 x 128 pixels
CELL = 136
COLUMNS = 8

OBJECTS = {
    # animals
    "cat": 0x1F408,
    "husky": 0x1F415,
    "goldfish": 0x1F420,
    "butterfly": 0x1F98B,
    "owl": 0x1F989,
    "penguin": 0x1F427,
    "frog": 0x1F438,
    "turtle": 0x1F422,
    "elephant": 0x1F418,
    "octopus": 0x1F419,
    "bee": 0x1F41D,
    "snail": 0x1F40C,
    # food
    "banana": 0x1F34C,
    "pizza": 0x1F355,
    "apple": 0x1F34E,
    "carrot": 0x1F955,
    "pineapple": 0x1F34D,
    "cake": 0x1F370,
    "mushroom": 0x1F344,
    "watermelon": 0x1F349,
    # vehicles
    "plane": 0x2708,
    "tractor": 0x1F69C,
    "bicycle": 0x1F6B2,
    "rocket": 0x1F680,
    "boat": 0x26F5,
    "bus": 0x1F68C,
    # places and plants
    "church": 0x26EA,
    "house": 0x1F3E0,
    "tent": 0x26FA,
    "tree": 0x1F333,
    "cactus": 0x1F335,
    "sunflower": 0x1F33B,
    "snowman": 0x26C4,
    # things
    "ipod": 0x1F4F1,
    "ball": 0x26BD,
    "guitar": 0x1F3B8,
    "drum": 0x1F941,
    "clock": 0x23F0,
    "key": 0x1F511,
    "book": 0x1F4D5,
    "camera": 0x1F4F7,
    "umbrella": 0x2602,
    "hat": 0x1F3A9,
    "shoe": 0x1F45F,
    "hammer": 0x1F528,
    "balloon": 0x1F388,
    "crown": 0x1F451,
    "robot": 0x1F916,
}


# Names in a folder of SVG files (as in the npm package fluentui-emoji, icons/flat) where they differ from the word.
SVG_NAMES = {
    "husky": "dog",
    "goldfish": "tropical-fish",
    "bee": "honeybee",
    "apple": "red-apple",
    "cake": "shortcake",
    "plane": "airplane",
    "boat": "sailboat",
    "tree": "deciduous-tree",
    "snowman": "snowman-without-snow",
    "ipod": "mobile-phone",
    "ball": "soccer-ball",
    "clock": "alarm-clock",
    "book": "closed-book",
    "hat": "top-hat",
    "shoe": "running-shoe",
}


def drawing(word: str, folder: Path) -> Image.Image:
    """The picture of a word from a folder of SVG files, RGBA, cut to what is visible; wants rsvg-convert (librsvg)."""
    file = folder / f"{SVG_NAMES.get(word, word)}.svg"
    command = ["rsvg-convert", "--height", str(CELL - 8), str(file)]
    png = subprocess.run(command, check=True, capture_output=True).stdout
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    return picture.crop(picture.getchannel("A").getbbox())


def glyph(codepoint: int, font: ImageFont.FreeTypeFont) -> Image.Image:
    """One emoji at the font's own resolution, RGBA, cut to what is visible.

    Raises:
        ValueError: if the font has no picture for the code point.
    """
    canvas = Image.new("RGBA", (2 * CELL, 2 * CELL))
    ImageDraw.Draw(canvas).text((CELL // 2, CELL // 2), chr(codepoint), font=font, embedded_color=True)
    box = canvas.getchannel("A").getbbox()
    if box is None or len(canvas.crop(box).getcolors(maxcolors=1 << 16) or ()) < 3:
        raise ValueError(f"codepoint: the font has no colour picture for U+{codepoint:04X}; choose another object.")
    return canvas.crop(box)


def sheet(font_file: str, svg: Path | None = None) -> tuple[Image.Image, dict[str, dict[str, object]]]:
    """All objects, each centred in its cell: from the font, or where `svg` is given from a folder of SVG files.

    Returns:
        the sheet, RGBA; and for each word its code point and its cell as (column, row).
    """
    font = None if svg else ImageFont.truetype(font_file, FONT_SIZE)
    rows = -(-len(OBJECTS) // COLUMNS)
    picture = Image.new("RGBA", (COLUMNS * CELL, rows * CELL))
    index: dict[str, dict[str, object]] = {}
    for number, (word, codepoint) in enumerate(OBJECTS.items()):
        row, column = divmod(number, COLUMNS)
        sprite = glyph(codepoint, font) if font else drawing(word, svg or Path())
        corner = (column * CELL + (CELL - sprite.width) // 2, row * CELL + (CELL - sprite.height) // 2)
        picture.paste(sprite, corner)
        index[word] = {"codepoint": f"U+{codepoint:04X}", "cell": [column, row]}
    return picture, index


def main() -> None:
    """Write sprites.png and sprites.json beside this file, or where --out says."""
    parser = argparse.ArgumentParser(description="Render the sprite sheet from Noto Color Emoji.")
    parser.add_argument("--font", default=FONT)
    parser.add_argument("--svg", type=Path, help="folder of SVG files to draw from instead: another style, for tests")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    picture, index = sheet(arguments.font, arguments.svg)
    picture.save(arguments.out / "sprites.png", optimize=True)
    lines = [f"    {json.dumps(word)}: {json.dumps(entry)}" for word, entry in index.items()]
    text = f'{{\n  "cell_size": {CELL},\n  "objects": {{\n' + ",\n".join(lines) + "\n  }\n}\n"
    (arguments.out / "sprites.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
