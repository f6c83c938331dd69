"""Columns of the experiments on planted faults; light, since the command line's help reads them."""

from __future__ import annotations

# An experiment for each fault of `emoji.FAULTS`.
SHORTCUT, READS, BINDING = "planted-shortcut", "planted-reads", "planted-binding"
_EVIDENCE = ("patches", "first", "pairs", "silent", "chance", "shown", "effect", "cost")
SCORES = {
    SHORTCUT: _EVIDENCE,
    READS: _EVIDENCE,
    BINDING: (
        "triples",
        "first",
        "bound",
        "crossed",
        "together",
        "control",
        "words",
        "silent",
        "chance",
        "effect",
        "enumerated",
        "cost",
    ),
}
# The model that has what was planted, and one that has not. Binding is no fault, but a bag of words lacks it.
MODELS = {
    SHORTCUT: ("emoji-clip-shortcut", "emoji-clip"),
    READS: ("emoji-clip-reads", "emoji-clip"),
    BINDING: ("emoji-clip-colours", "emoji-clip-bag"),
}
# By which score of a scene the two are told apart.
SEPARATES = {SHORTCUT: "patches", READS: "patches", BINDING: "bound"}
ALSO_SEPARATES = {SHORTCUT: (), READS: (), BINDING: ("control", "together", "words")}
OWN_ANSWER, ENUMERATED = "the model's own answer", "whole objects as players, enumerated"
KEYS = dict.fromkeys(SCORES, ("method", "p"))
SUMMARISED = {
    SHORTCUT: ("patches", "first", "pairs", "silent"),
    READS: ("patches", "first", "pairs", "silent"),
    BINDING: ("triples", "first", "crossed", "bound", "together", "control", "words", "silent"),
}
# Without a unit, so that all methods stand in one picture.
DRAWN = {
    SHORTCUT: ("patches", "first", "pairs"),
    READS: ("patches", "first", "pairs"),
    BINDING: ("triples", "first", "crossed"),
}
# What only methods have that tell words apart, or that are in logits and have interactions of words.
NOT_FOR_ALL = ("pairs", "words")
EXPLAINED = {
    "patches": "area under the ROC curve of the planted patches among all, by the method's number for the planted word "
    "and the patch (first order: the patch's value), with its sign if it has any; ties count half",
    "first": "1 where the strongest positive term, a patch or with binding a triple, is a planted one; with ties, the "
    "share of planted ones among the strongest; 0 where no term is positive",
    "pairs": "area under the ROC curve of the planted pairs (patch, word) among all pairs of a patch with a token; "
    "nothing where a method has one map for the whole caption",
    "triples": "area under the ROC curve of the planted triples (colour word, its object's word, patch of the object) "
    "among those of either colour word, either object word and any patch; second order adds its interactions of both "
    "words with the patch, first order has the patch's value",
    "bound": "mean over the planted triples minus mean over the same triples with the other object's colour word, "
    "logits or scores; first order cannot tell them apart",
    "crossed": "area under the ROC curve of the planted triples among these and those with the other object's colour "
    "word: it counts order alone, not size",
    "together": "triples of colour words with their own objects' words minus those with the other's, on the patches of "
    "both objects, mean, logits or scores: unlike `bound` it has no part in where a colour is seen, which a bag of "
    "words knows, too; for lower orders it is 0",
    "control": "mean over the planted triples minus mean over the same words and patches in the explanation of the "
    "caption with the colours swapped, where they do not belong together, logits or scores; it takes a second "
    "explanation, which the cost does not count",
    "words": "interaction of the colour words with their own objects' words, minus that with the other's, mean, logits",
    "silent": "1 where a method failed or gave only zeros; then areas count 0.5, `first` counts as by chance, and a "
    "difference as 0",
    "chance": "`first` for numbers drawn at random: the share of planted terms",
    "shown": "1 where the planted word's object is in the picture itself, too",
    "enumerated": "`bound` of the exact interactions of third order at p = 0.5, logits, where each object is one "
    "player, beside the four words, and all else is there: what the model itself has to say to the question",
    "effect": "what the planted evidence does to the model's similarity, logits: the picture minus its twin without "
    "the badge or with a blank label; with binding, the caption minus that with the colours swapped",
}
# Columns of the page on both models.
TOGETHER = {
    "patches, not shown": "in the scenes without a picture of the planted word's object",
    "first, clean": "on the clean model the same question has another answer: with shortcut and reads these are false "
    "alarms, to be held against chance",
    "separation": "how well a method tells the faulty model from the clean one: area under the ROC curve over scenes, "
    "by `patches`, with binding by `bound`, and for the model's own answer by `effect`; 0.5 is chance",
    "separation by control": "the same by `control`",
    "separation by together": "the same by `together`",
    "separation by words": "the same by `words`",
    "silent": "in how many scenes a method failed or gave only zeros; then areas count 0.5, `first` counts as by "
    "chance, and a difference as 0",
}
