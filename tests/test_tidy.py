"""The house style that a linter does not know. See CONTRIBUTING.md."""

import ast
import re
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


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_on_a_desk(path: Path) -> None:
    text = path.read_text()

    assert text.count("\n") <= LINES_PER_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LINES_PER_FUNCTION, node.name


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_a_product_module_is_finished_and_says_what_it_owns(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)

    assert not UNFINISHED.search(text)
    assert not text or ast.get_docstring(tree), "a module opens with what it owns"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            assert node.name.startswith("_") or ast.get_docstring(node), node.name


def is_pure(path: Path) -> bool:
    return name(path).startswith(PURE) and path.stem not in EDGES.get(path.parent.name, ())


@pytest.mark.parametrize("path", [p for p in PRODUCT if is_pure(p)], ids=name)
def test_a_pure_module_does_no_io(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert not _imports(tree) & BANNED_IN_PURE, "I/O and time belong to a host's edge"


def test_no_folder_hides_the_other_two() -> None:
    assert not list(ROOT.glob("*/headrace/__init__.py"))


def _imports(tree: ast.Module) -> set[str]:
    names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}
