"""The house style that a linter does not know. See CONTRIBUTING.md."""

import ast
import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("host", "dsl", "extensions", "tests", "bench", "docs", "examples")
MODULES = sorted(
    path
    for top in TOPS
    for path in (ROOT / top).rglob("*.py")
    if not path.name.endswith("_pb2.py") and "out" not in path.parts
)
PRODUCT = [path for path in MODULES if path.relative_to(ROOT).parts[0] in TOPS[:3]]
LINES_PER_MODULE = 400
LINES_PER_FUNCTION = 60
PURE = (
    "dsl/",
    "extensions/",
    "host/headrace/host/exchange/",
    "host/headrace/host/extproc/native/",
    "host/headrace/host/importer/",
    "host/headrace/host/testing/",
    "host/headrace/host/sim/",
)
EDGES = {
    "native": {"server", "wire"},
    "sim": {
        "admin",
        "driver",
        "generate",
        "kv_publisher",
        "options",
        "profile",
        "server",
        "service",
    },
}
BANNED_IN_PURE = {"asyncio", "datetime", "grpc", "kubernetes", "os", "random", "socket", "time"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|for now\b", re.IGNORECASE)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions in *node*, at any depth; expressions, which have none, are passed by."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from functions(child)


def of_modules(modules: Iterable[Path], faults: Callable[[Path], Iterable[str]]) -> list[str]:
    """Return the *faults* of all of *modules*, each with where it is."""
    return [f"{name(path)}: {fault}" for path in modules for fault in faults(path)]


def sprawl(path: Path) -> Iterator[str]:
    if path.read_text().count("\n") > LINES_PER_MODULE:
        yield f"more than {LINES_PER_MODULE} lines"
    for node in functions(tree_of(path)):
        if (node.end_lineno or 0) - node.lineno >= LINES_PER_FUNCTION:
            yield f"`{node.name}` has {LINES_PER_FUNCTION} lines or more"


def silence(path: Path) -> Iterator[str]:
    text, tree = path.read_text(), tree_of(path)
    if found := UNFINISHED.search(text):
        yield f"not finished: `{found[0]}`"
    if text and not ast.get_docstring(tree):
        yield "does not open with what it owns"
    for node in tree.body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"`{node.name}` has no docstring"


def effects(path: Path) -> Iterator[str]:
    if name(path).startswith(PURE) and path.stem not in EDGES.get(path.parent.name, ()):
        yield from sorted(_imports(tree_of(path)) & BANNED_IN_PURE)


def test_a_module_fits_on_a_desk() -> None:
    assert not of_modules(MODULES, sprawl)


def test_a_product_module_is_finished_and_says_what_it_owns() -> None:
    assert not of_modules(PRODUCT, silence)


def test_a_pure_module_does_no_io() -> None:
    assert not of_modules(PRODUCT, effects), "I/O and time belong to a host's edge"


def test_what_is_untidy_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dsl" / "module.py"
    path.parent.mkdir()
    lines = "\n".join(["    x = 1"] * LINES_PER_FUNCTION)
    path.write_text(f"import os\n\n\ndef long():\n{lines}\n\n\n# TO" + "DO\n" * LINES_PER_MODULE)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)

    assert len(list(sprawl(path))) == 2
    assert len(list(silence(path))) == 3
    assert list(effects(path)) == ["os"]


def test_no_folder_hides_the_other_two() -> None:
    assert not list(ROOT.glob("*/headrace/__init__.py"))


def _imports(tree: ast.Module) -> set[str]:
    names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}
