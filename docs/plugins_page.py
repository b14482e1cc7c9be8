"""The page of the reference's plugins: every one of them, and what does its work here."""

from docs.plugin_rows import SECTIONS
from docs.tables import code, prose, table

INTRO = (
    "Every plugin that the reference, llm-d's router, registers, and by what name its work is done "
    "here. Names with `_scorer` and `_filter` are of the [library](library.md), with the "
    "reference's formulas and defaults; the others are statements and names of the "
    "[language](language.md). An empty cell: nothing does it. `headrace import` translates a "
    "configuration."
)


def page() -> str:
    """Return the page `docs/reference/plugins.md`."""
    parts = ["# The plugins of the reference\n\n", prose(INTRO).removesuffix("\n")]
    for title, rows in SECTIONS.items():
        parts.append(f"\n## {title}\n\n")
        shown = [(code(kind), here, differs) for kind, here, differs in rows]
        parts.append(table(("plugin", "here", "what differs"), shown))
    return "".join(parts)
