"""What the exercises of the chapters want, by their numbers; do not read it before you have tried them."""

from __future__ import annotations

from course import Exercise, Question

from . import (
    ch00,
    ch00a,
    ch01,
    ch02,
    ch03,
    ch04,
    ch05,
    ch06,
    ch07,
    ch08,
    ch09,
    ch10,
    ch11,
    ch12,
    ch13,
    ch14,
    ch15,
    ch16,
    ch17,
    ch18,
    ch19,
)

_FIRST = (ch00, ch00a, ch01, ch02, ch03, ch04, ch05, ch06, ch07, ch08, ch09)
_CHAPTERS = (*_FIRST, ch10, ch11, ch12, ch13, ch14, ch15, ch16, ch17, ch19)
EXERCISES: dict[str, Exercise] = {number: one for chapter in _CHAPTERS for number, one in chapter.EXERCISES.items()}
QUESTIONS: dict[str, Question] = ch18.QUESTIONS
