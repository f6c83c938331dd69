"""Columns of the experiment on mutual knowledge; light, since the command line's help reads them."""

from __future__ import annotations

NAME = "mutual-knowledge"
# As `concepts.MEASURES`, with an underscore.
MEASURES = ("information", "overlap_score", "jaccard")
# Of each measure: its value, and the area under its deletion dynamics.
BASELINES = {"": "value", "_chance": "by chance", "_others": "with another class's words"}
FACTS = ("right", "visual", "language", "shared", "expected", "p_value")
SCORES = (*FACTS, *(f"{name}{area}{base}" for name in MEASURES for area in ("", "_area") for base in BASELINES))
TABLE = ("item", "class", "model", "prediction", *SCORES, "shared_words")
STRUCK = "struck"
CURVES = tuple(f"{name}{base}" for name in MEASURES for base in ("", "_chance"))
CURVE_TABLE = ("item", STRUCK, *CURVES)
EXPLAINED = {
    "item": "the scene, or folder and file of the picture",
    "class": "the true class",
    "model": "the encoder",
    "prediction": "the class with the highest logit",
    "right": "1 where that is the true class, else 0",
    "visual": "L_v, how many of the bank's concepts the image side names",
    "language": "L_t, how many the language side has for the predicted class",
    "shared": "K, how many both have",
    "expected": "how many sets of these sizes share by chance, L_v L_t / D",
    "p_value": "the probability that chance shares as many, or more",
    "information": "mutual information, in nats, of both sides over the bank: at most log 2; 0 where as many concepts "
    "are shared as by chance, and above it also where fewer are",
    "overlap_score": "log(L_v L_t K), 0 where nothing is shared: what was published as mutual information, which it "
    "is not",
    "jaccard": "shared concepts among all that either side has",
    "..._area": "area under the deletion dynamics: the mean of the measure before any, and after each, of the image "
    "side's concepts is struck out, those most similar to the picture first",
    "..._chance": "the same by chance: the exact mean over all permutations of the bank; none is drawn",
    "..._others": "the same with the words of each other class in place of the predicted one's, on average: a model "
    "that calls everything the same few words is above chance, and not above this",
    "shared_words": "the shared concepts, those most similar to the picture first",
    STRUCK: "how many of the image side's concepts were struck out; where none is left the curve is 0, as published",
}
