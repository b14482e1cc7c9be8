"""What the language has and this host does not perform yet, for the page on the language."""

from docs.tables import table

from headrace.dsl.unperformed import STATEMENTS


def unperformed() -> str:
    """Return a row for everything that `headrace serve` refuses to start with."""
    rows = list(STATEMENTS.values())
    if not rows:
        return "Today there is nothing of that kind.\n"
    return table(("not performed yet", "until then"), rows)
