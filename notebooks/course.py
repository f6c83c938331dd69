"""What the chapters share: how exercises, and the quiz's questions, are checked. What they want is in `checks`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Exercise:
    """What an exercise wants, apart from the chapter, so that its check does not give the solution away.

    Attributes:
        cases: makes the arguments of several calls, from a generator of random numbers and what the chapter gives.
        reference: the right answer to each.
        hint: what to think of if a result is wrong and none of the mistakes explains it.
        mistakes: what foreseeable wrong solutions compute, and what to say to whoever wrote one.
        also: what else is to be kept, from the attempt and what the chapter gives: a sentence if it is not.
        tolerance: how far numbers may be off.
    """

    cases: Callable[..., Iterable[Sequence[Any]]]
    reference: Callable[..., Any]
    hint: str
    mistakes: Sequence[tuple[Callable[..., Any], str]] = ()
    also: Callable[..., str | None] | None = None
    tolerance: float = 1e-6


def check(attempt: Callable[..., Any], number: str, *given: Any) -> None:
    """Try an exercise's function on cases and say how it went.

    Args:
        attempt: the student's function. One that raises NotImplementedError counts as not attempted.
        number: of the exercise, for example "01.2".
        given: what the exercise needs of the chapter.

    Raises:
        AssertionError: in a sentence that names what came and what was wanted, if a result is wrong.
    """
    from checks import EXERCISES

    exercise, name = EXERCISES[number], attempt.__name__
    for arguments in exercise.cases(np.random.default_rng(0), *given):
        before = [copy.deepcopy(a) if isinstance(a, np.ndarray | list | dict) else a for a in arguments]
        wanted = exercise.reference(*arguments)
        try:
            got = attempt(*arguments)
        except NotImplementedError:
            print(f"{name}: not attempted yet")
            return
        except Exception as error:
            raise AssertionError(
                f"{name}: your code raised {type(error).__name__} ({error}); got no result, wanted {_shown(wanted)}. "
                f"Hint: {exercise.hint}"
            ) from None
        if not all(_same(a, b, 0.0) for a, b in zip(arguments, before, strict=True)):
            raise AssertionError(
                f"{name}: got its arguments changed, wanted them as they were. Hint: work on a copy, as in mask.copy()."
            )
        if not _same(got, wanted, exercise.tolerance):
            hint = _explained(exercise, arguments, got) or exercise.hint
            raise AssertionError(f"{name}: got {_shown(got)}, wanted {_shown(wanted)}. Hint: {hint}")
    complaint = exercise.also(attempt, *given) if exercise.also is not None else None
    if complaint:
        raise AssertionError(f"{name}: {complaint}")
    print(f"{name}: well done")


@dataclass(frozen=True)
class Question:
    """What a question of the quiz wants.

    Attributes:
        right: the letter of the right choice, or a number.
        hints: what to say to each other choice, or to numbers that a foreseeable mistake gives.
        hint: what to say to any other answer.
    """

    right: str | float
    hints: Mapping[str | float, str]
    hint: str = "one of the letters was asked for."


def answer(given: str | float | None, number: str) -> None:
    """Say whether an answer to a question of the quiz is right; None counts as not answered.

    Args:
        given: a letter or a number, as the question asks.
        number: of the question, for example "18.01".

    Raises:
        AssertionError: if it is wrong, with a hint that does not give the answer away.
    """
    from checks import QUESTIONS

    question = QUESTIONS[number]
    if given is None:
        print(f"question {number}: not answered yet")
        return
    choice = given.strip().lower() if isinstance(given, str) else given
    if not _meant(choice, question.right):
        hint = next((said for wrong, said in question.hints.items() if _meant(choice, wrong)), question.hint)
        if isinstance(choice, str) and not isinstance(question.right, str):
            hint = "a number, without quotes, was asked for."
        raise AssertionError(f"question {number}: {given!r} is not it. Hint: {hint}")
    print(f"question {number}: well done")


def _meant(choice: Any, wanted: str | float) -> bool:
    """Whether a choice is a letter, or a number up to rounding."""
    if isinstance(wanted, str) or isinstance(choice, str | bool):
        return bool(choice == wanted)
    return _same(float(choice), float(wanted), 0.005) if np.isscalar(choice) else False


def _explained(exercise: Exercise, arguments: Sequence[Any], got: Any) -> str:
    """What to say if a foreseeable mistake gives the same; empty if none does."""
    for wrong, said in exercise.mistakes:
        try:
            if _same(got, wrong(*arguments), exercise.tolerance):
                return said
        except Exception:  # a mistake need not make sense on every case
            continue
    return ""


def _shown(value: Any) -> str:
    """A result in few words."""
    if isinstance(value, np.ndarray) and value.size > 12:
        return f"an array of shape {value.shape}"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return "None (does the function return something?)" if value is None else repr(value)


def _same(got: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, float | np.floating | np.ndarray):
        try:
            return np.shape(got) == np.shape(wanted) and bool(np.allclose(got, wanted, atol=tolerance))
        except (TypeError, ValueError):
            return False
    try:
        return bool(got is wanted or got == wanted)
    except Exception:
        return False
