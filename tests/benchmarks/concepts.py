"""Do a visual concept's words name what it shows? `python tests/benchmarks/concepts.py --out FOLDER`

Scenes whose truth is known: a visual concept shows the object whose box covers most of its patches, or the background
where no box covers a quarter of them. The embedded models have words for objects and for backgrounds, and for no part
or attribute of an object, so that the right word is one of 56. Beside the published choice of words stand others, and
two baselines: the words of the whole picture for each of its regions, and chance. Then the language side, whose truth
is known, too: of each of twelve kinds of scenes the four objects. A minute or two for each model.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import fixlip
from fixlip.concepts import Bank, Classes, Settings, Study
from fixlip.concepts.embeddings import embed_phrases
from fixlip.emoji.scenes import vocabulary
from fixlip.encoders.sources import CLEAN

FIRST_SCENE = 3 * 10**6  # none of these was looked at when the defaults were chosen
LEAST_COVERED, MOSTLY = 0.25, 0.6
DEFAULT = Settings()
VARIANTS = {
    "the default: red ellipse and optimal transport": DEFAULT,
    "every word of the bank a candidate": replace(DEFAULT, candidates=100, relevance=False),
    "relevance not asked": replace(DEFAULT, relevance=False),
    "most similar words without transport": replace(DEFAULT, transport=False),
    "patches alone": replace(DEFAULT, prompt="patches"),
    "patches alone and most similar words": replace(DEFAULT, prompt="patches", transport=False),
    "keys instead of tokens": replace(DEFAULT, features="keys"),
    "PCA instead of SVD": replace(DEFAULT, prominent="pca"),
    "K-means instead of PCA": replace(DEFAULT, parts="kmeans"),
    "five parts instead of three": replace(DEFAULT, n_parts=5),
}
WHOLE, CHANCE = "baseline: words of the whole picture", "baseline: chance"
COLUMNS = ("model", "words", "visual concepts", "of a background", "right word among three", "right word first")
COLUMNS += ("among three, concepts mostly in one object", "wrong words that name something else there")
COLUMNS += tuple(f"among three, {k} object{'s'[: k > 1]}" for k in range(1, 5))


def scene_of(k):
    """The k-th scene, of one to four objects in turn."""
    return fixlip.emoji.scene(FIRST_SCENE + k, objects=1 + k % 4)


def shown_by(shown, patches, grid, bank):
    """The number of the word for what a region shows, the share of it that this covers, and whether it is an object."""
    side = shown.image.size[0]
    rows, columns = (np.arange(side) * n // side for n in grid)
    region = patches.reshape(grid)[rows][:, columns]
    covered = [region[top:bottom, left:right].sum() / region.sum() for left, top, right, bottom in shown.boxes]
    most = int(np.argmax(covered))
    if covered[most] < LEAST_COVERED:
        return background_of(shown, bank), 1 - sum(covered), False
    return bank.phrases.index(shown.objects[most]), covered[most], True


def background_of(shown, bank):
    """The number of the word for a scene's background."""
    return bank.phrases.index(f"{shown.background} background")


def hits(study, scenes, words_of=None):
    """(regions, 6): objects of the scene; a background? right word among three? first? mostly an object? one there?"""
    found, bank = [], study.bank
    for k in range(scenes):
        shown = scene_of(k)
        concepts = study.image(shown.image)
        there = {*(bank.phrases.index(word) for word in shown.objects), background_of(shown, bank)}
        for concept in concepts.concepts:
            right, share, is_object = shown_by(shown, concept.patches, concepts.grid, bank)
            words = concept.words if words_of is None else words_of(shown)
            mostly = is_object and share > MOSTLY
            one = (len(shown.objects), not is_object, right in words, right == words[0], mostly, bool(there & {*words}))
            found.append(one)
    return np.array(found, float)


def share(answers):
    """The share of right answers, for a table; — where there is none."""
    return f"{answers.mean():.0%}" if len(answers) else "—"


def row(model, name, found):
    """A line of the first table."""
    cells = [f"{len(found)}", f"{int(found[:, 1].sum())}", f"{found[:, 2].mean():.0%}", f"{found[:, 3].mean():.0%}"]
    mostly, wrong = found[found[:, 4] == 1], found[found[:, 2] == 0]
    cells += [f"{share(mostly[:, 2])} of {len(mostly)}", f"{share(wrong[:, 5])} of {len(wrong)}"]
    cells += [share(found[found[:, 0] == k, 2]) for k in range(1, 5)]
    return f"| {model} | {name} | {' | '.join(cells)} |"


def naming_rows(model, scenes):
    """Lines of the first table for one model."""
    encoder, bank = fixlip.load(model), Bank.emoji()
    classes = Classes(vocabulary())
    lines = []
    for name, settings in VARIANTS.items():
        study = Study(encoder, classes, bank, settings, cache=False)
        found = hits(study, scenes)
        lines.append(row(model, name, found))
        if settings == DEFAULT:
            whole = row(model, WHOLE, hits(study, scenes, lambda shown, of=study: words_of_whole(of, shown)))
            chance = f"{3 / len(bank):.0%}"
            cells = (len(found), int(found[:, 1].sum()), chance, f"{1 / len(bank):.0%}", chance, "—", *[chance] * 4)
            last = [whole, f"| {model} | {CHANCE} | {' | '.join(map(str, cells))} |"]
    return lines + last


def words_of_whole(study, shown):
    """The three words most similar to the whole picture."""
    pixels, _ = study.encoder.prepare_image(shown.image)
    everything = np.ones((1, study.encoder.grid[0] * study.encoder.grid[1]), bool)
    (embedding,) = np.concatenate(list(study.encoder.embed_images(pixels, everything)))
    return np.argsort(-(study.phrases @ embedding))[:3].tolist()


def language_row(model):
    """A line of the second table: of each kind of scenes, how many of its objects are among its four words."""
    encoder, bank, classes = fixlip.load(model), Bank.emoji(), Classes.emoji()
    study = Study(encoder, classes, bank, cache=False)
    truth = [[bank.phrases.index(w) for w in prompt.split() if w in vocabulary()] for (prompt,) in classes.prompts]
    right = [len(set(study.language(k)) & set(words)) / 4 for k, words in enumerate(truth)]
    whole = sum(share == 1 for share in right)
    # The same of captions of single objects, whose words the models see more often.
    phrases = embed_phrases(encoder, [f"a photo of a {word}" for word in vocabulary()], cache=False)
    single = np.mean((phrases @ study.phrases.T).argmax(1) == np.arange(len(vocabulary())))
    return f"| {model} | {np.mean(right):.0%} | {whole} of {len(classes)} | {single:.0%} |"


def table(columns, lines):
    """A Markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines, ""]


def reports(options):
    """Two tables and what they say, by file name."""
    naming = [line for model in options.models for line in naming_rows(model, options.scenes)]
    language = [language_row(model) for model in options.models]
    about = (
        f"Visual concepts of {options.scenes} scenes with one to four objects in turn. Right is the object whose box "
        f"covers most of a concept's patches, or the background where no box covers {LEAST_COVERED:.0%} of them; "
        f"mostly in one object are those of which its box covers more than {MOSTLY:.0%}. "
        "Whatever differs from the default is named; everything else is as by default."
    )
    columns = ("model", "objects of a kind of scenes among its four words", "all four", "a single object's own word")
    command = f"`python tests/benchmarks/concepts.py --models {' '.join(options.models)} --scenes {options.scenes}`"
    return {
        "concepts.md": "\n".join([*table(COLUMNS, naming), about, "", command, ""]),
        "concepts-language.md": "\n".join([*table(columns, language), command, ""]),
    }


def main():
    """Read the command line, measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder to write; by default the tables are only printed")
    parser.add_argument("--models", nargs="+", default=list(CLEAN))
    parser.add_argument("--scenes", type=int, default=50)
    options = parser.parse_args()
    for name, text in reports(options).items():
        print(text)
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
