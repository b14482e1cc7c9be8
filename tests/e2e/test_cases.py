"""The table of cases and the tests agree: nothing is missing, nothing is claimed wrongly."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "cases.md"
CASES = range(1, 73)
WAITS = re.compile(r"waits for issue \d+: .+")
ROW = re.compile(r"^\| (?P<number>\d+) \| (?P<what>[^|]+) \| (?P<tests>[^|]*) \|$", re.MULTILINE)


def test_the_table_of_cases_is_the_tests() -> None:
    text = TABLE.read_text()
    tests = _tests()
    if os.environ.get("UPDATE") == "1":
        TABLE.write_text(text := ROW.sub(lambda row: _row(row, tests), text))
    rows = [row.groupdict() for row in ROW.finditer(text)]

    assert [int(row["number"]) for row in rows] == list(CASES)
    assert not set(tests) - set(CASES)
    for row in rows:
        expected = tests.get(int(row["number"]))
        if expected is None:
            assert WAITS.fullmatch(row["tests"]) or _is_file(row["tests"]), row
        else:
            assert row["tests"] == ", ".join(expected), row


def _is_file(named: str) -> bool:
    return bool(named) and (HERE.parents[1] / named.strip("`")).is_file()


def _row(row: re.Match[str], tests: dict[int, list[str]]) -> str:
    named = ", ".join(tests.get(int(row["number"]), [])) or row["tests"]
    return f"| {row['number']} | {row['what']} | {named} |"


def _tests() -> dict[int, list[str]]:
    """Return case -> the tests whose docstring begins with its number."""
    found: dict[int, list[str]] = {}
    folders = (HERE, HERE.parent / "properties", HERE.parent / "host" / "exchange")
    for path in sorted(path for folder in folders for path in folder.glob("test_*.py")):
        for name, numbers in _named(path):
            where = path.name if path.parent == HERE else str(path.relative_to(HERE.parents[1]))
            for number in numbers:
                found.setdefault(number, []).append(f"`{where}::{name}`")
    return found


def _named(path: Path) -> Iterator[tuple[str, list[int]]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            said = re.match(r"Case (\d+(?:, \d+)*):", ast.get_docstring(node) or "")
            if said:
                yield node.name, [int(number) for number in said[1].split(", ")]
