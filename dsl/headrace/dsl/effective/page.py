"""Write a flattened policy: as a policy with origins in comments, or as plain values."""

from collections.abc import Callable, Iterator, Sequence

from headrace.dsl.effective.form import Line, Section

_COLUMN_MAX = 72  # origins beyond it follow their text


def text(sections: Sequence[Section], *, origins: bool = True) -> str:
    """Return *sections* as a policy that compiles to the same program."""
    parts = ["sched 1\n"]
    for i, section in enumerate(sections):
        apart = section.lines is not None or i == 0 or sections[i - 1].lines is not None
        parts.append(("\n" if apart else "") + _section(section, origins=origins))
    return "".join(parts)


def _section(section: Section, *, origins: bool) -> str:
    rows = list(_rows(section))
    if not origins:
        return "".join(f"{row}\n" for row, _ in rows)
    width = min(_COLUMN_MAX, max(len(row) for row, _ in rows))
    return "".join(f"{row.ljust(width)}  # {at}\n" if at else f"{row}\n" for row, at in rows)


def _rows(section: Section) -> Iterator[tuple[str, str]]:
    head = section.head
    if section.lines is None:
        yield head.text, head.origin
        return
    if not section.lines:
        yield f"{head.text} {{ }}", head.origin
        return
    yield f"{head.text} {{", head.origin
    for line in section.lines:
        yield "  " * line.depth + line.text, line.origin
    yield "}", ""


def plain(sections: Sequence[Section]) -> list[dict[str, object]]:
    """Return *sections* as values for JSON."""
    return [
        {
            "kind": section.kind,
            "names": list(section.names),
            "text": section.head.text,
            "origin": section.head.origin,
            "statements": [
                {"text": line.text, "origin": line.origin}
                for line in section.lines or ()
                if line.origin
            ],
        }
        for section in sections
    ]


def mapped(section: Section, change: Callable[[Line], Line]) -> Section:
    """Return *section* with every line changed."""
    lines = None if section.lines is None else tuple(map(change, section.lines))
    return Section(section.kind, section.names, change(section.head), lines)
