"""Which known word was probably meant."""

from collections.abc import Iterable

LENGTH_MAX = 64  # longer words are not typing mistakes of ours


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to *word*, or None if none is near."""
    if not word or len(word) > LENGTH_MAX:
        return None
    allowed = 1 if len(word) <= 4 else 2 if len(word) <= 8 else 3
    ranked = sorted((distance(word.lower(), k.lower()), k) for k in known if len(k) <= LENGTH_MAX)
    return ranked[0][1] if ranked and ranked[0][0] <= allowed else None


def distance(a: str, b: str) -> int:
    """Return how many letters must be added, dropped, changed or swapped with a neighbour."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a help line: the nearest known word, or else all of them after *otherwise*."""
    words = sorted(known)
    near = closest(word, words)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"{otherwise}: {', '.join(words)}" if otherwise and words else ""
