"""What the questions of the quiz want; do not read it before you have answered them."""

from __future__ import annotations

from course import Question

QUESTIONS: dict[str, Question] = {
    "18.01": Question(
        "c",
        {
            "a": "what would change in the loss if all logits of a batch grew by 9?",
            "b": "nobody asked the encoder for zero; two vectors that mean nothing have some angle, too.",
            "d": "a share of what? The scale has no natural zero, so a quotient of two logits says little.",
        },
    ),
    "18.02": Question(
        3.5,
        {
            4.0: "this is what both do together beyond nobody; take off what each does alone.",
            0.5: "this is what the patch does alone.",
            14.0: "this is the value of both; an interaction is a difference of differences.",
            -6.0: "nobody's value belongs in the sum as well: it is taken off twice, once with each single player.",
            -3.5: "the size is right, the sign is not: are both worth more together, or less?",
        },
        "v(both) less each alone, and nobody's value added once.",
    ),
    "18.03": Question(
        "b",
        {
            "a": "each is exactly right at its own p; p is not a budget.",
            "c": "a value may change while its interactions shrink; the change of the value is what they add up to.",
            "d": "the company changes with p, and a player's worth with its company.",
        },
    ),
    "18.04": Question(
        14.5,
        {
            18.0: "this adds to the average as if it were nothing; each (x - p) is one half here, not one.",
            14.0: "the interaction is missing: two players are there who do something together.",
            16.0: "the interaction is multiplied by (x - p) twice, once for each of the two.",
            15.0: "the interaction is multiplied by both brackets: one half times one half.",
        },
        "put x = 1 and p = 0.5 into average + sum of values times (x - p) + interaction times both brackets.",
    ),
    "18.05": Question(
        "a",
        {
            "b": "five tokens have 32 masked captions, and they are all there already.",
            "c": "pairs are nearly free, but repeating the known ones tells nothing new.",
            "d": "an estimate from random masks always has chance in it: which part of it is still random?",
        },
    ),
    "18.06": Question(
        "d",
        {
            "a": "R squared compares the explanation with the model, not the model with the truth.",
            "b": "it is a share of variance, not of numbers.",
            "c": "the masks at p = 0.3 are mostly grey; who says that the photograph is read in the same way?",
        },
    ),
    "18.07": Question(
        "b",
        {
            "a": "errors of a difference add as squares: compare 0.15 with two standard errors of the difference.",
            "c": "a standard error is no bound; a third of the true values lies outside, even if all goes well.",
            "d": "bars come from the sample of masks; whether the model is right they cannot know.",
        },
    ),
    "18.08": Question(
        "c",
        {
            "a": "ask what a bag of words, which knows both words and not their order, would show.",
            "b": "a small standard error makes the number certain, not what is read into it.",
            "d": "a pair says something true, an average; only not what this sentence says.",
        },
    ),
    "18.09": Question(
        0.25,
        {
            0.5: "that is noise with both signs; here all values are positive: right for one word, wrong for three.",
            0.75: "this is the wrong share; and what a map that is negative everywhere gets.",
            1.0: "the same map serves all four words: for each of them three quarters count as wrong.",
            0.0: "for each word the map's values in its own quarter count as correct.",
        },
        "let M be the map's sum: what is correct over four words, what is counted in all?",
    ),
    "18.10": Question(
        "b",
        {
            "a": "it never saw the model, so it can explain nothing of it, whatever its score.",
            "c": "the measure did what it says: it asked the model about kept parts.",
            "d": "one picture is few, but more of them would not make the colour map look at the model.",
        },
    ),
    "18.11": Question(
        0.25,
        {
            0.5: "both the value and the way double.",
            0.11: "divide by the way from empty to whole, not by the whole: zero means nothing in particular.",
            4.0: "this is the value in logits; the share of the way was asked for.",
            0.22: "both double; and divide by the way from empty to whole, not by the whole.",
        },
        "scale every logit by two: the value, the whole and the empty one. Then divide.",
    ),
    "18.12": Question(
        "d",
        {
            "a": "the scenes have both dot and boat, so right answers cannot tell which of them decided.",
            "b": "more explanations of the same kind of picture repeat the suspicion.",
            "c": "a bar speaks of chance in the masks, not of what causes the decision.",
        },
    ),
}
