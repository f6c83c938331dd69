"""What the exercises of chapter 19 want."""

from course import Exercise

EXERCISES: dict[str, Exercise] = {}
