"""The dialects that come with Headrace, read from their files when they are first asked for."""

import functools
from importlib import resources

from headrace.dsl.dialects.dialect import GPU_SOURCES, METRIC_DIALECTS, Dialect
from headrace.dsl.dialects.reading import read
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Source

_FOLDER = "headrace.dsl.dialects"


def built_in(name: str) -> Dialect:
    """Return the dialect *name*, of `METRIC_DIALECTS` or `GPU_SOURCES`."""
    assert name in (*METRIC_DIALECTS, *GPU_SOURCES), name
    return _built_in(name)


def vllm() -> Dialect:
    """Return the dialect of a pool that names none."""
    return _built_in(METRIC_DIALECTS[0])


def text(name: str) -> str:
    """Return the file of the dialect *name*."""
    file = resources.files(_FOLDER).joinpath("files", f"{name}.toml")
    return file.read_text(encoding="utf-8")


@functools.cache
def _built_in(name: str) -> Dialect:
    problems = Problems()
    found = read(name, Source(f"{name}.toml", text(name)), problems, None)
    assert found is not None, problems.found
    assert not problems.found, problems.found
    return found
