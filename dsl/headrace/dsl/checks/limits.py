"""Numbers and texts that have to be within bounds, wherever they stand."""

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.syntax.tree import Number, Word
from headrace.dsl.vocabulary import PRIORITY_MAX, PRIORITY_MIN

MESSAGE_CHARS_MAX = 500


def within(
    number: Number | None, low: float, high: float, shown: str, problems: Problems
) -> float | None:
    """Return what *number* says, after reporting it if it is not from *low* to *high*."""
    if number is None:
        return None
    if not low <= number.value <= high:
        message = f"`{number.span.text}` is outside what is allowed"
        problems.add("S218", number.span, message, "out of range", f"allowed: {shown}")
    return number.value


def priority(number: Number | None, problems: Problems) -> int | None:
    """Return the priority that is written, if it is one."""
    shown = f"{PRIORITY_MIN} to {PRIORITY_MAX}"
    value = within(number, PRIORITY_MIN, PRIORITY_MAX, shown, problems)
    return None if value is None else int(value)


def status(number: Number | None, otherwise: int, problems: Problems) -> int:
    """Return the status of a refusal, or *otherwise* where none is written."""
    if number is None:
        return otherwise
    if not 400 <= number.value <= 599:
        message = f"`{number.span.text}` is not the status of a refusal"
        problems.add("S218", number.span, message, "", "allowed: 400 to 599")
    return int(number.value)


def message(word: Word | None, otherwise: str, problems: Problems) -> str:
    """Return the message of a refusal, or *otherwise* where none is written."""
    if word is None:
        return otherwise
    if not word.text.isprintable() or not 1 <= len(word.text) <= MESSAGE_CHARS_MAX:
        help_ = f"1 to {MESSAGE_CHARS_MAX} printable characters"
        problems.add("S218", word.span, "this is not a message", "", help_)
    return word.text
