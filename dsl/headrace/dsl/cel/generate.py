"""Compile generated source to functions whose tracebacks show the policy."""

import ast
import linecache
from collections.abc import Callable
from typing import Any, cast

from headrace.dsl.cel import emit
from headrace.dsl.cel.runtime import namespace
from headrace.dsl.cel.typed import Typed
from headrace.dsl.program import BoolColumn, Condition, RatioColumn
from headrace.dsl.source import Span


def bool_column(typed: Typed, span: Span, name: str) -> BoolColumn:
    """Return the function that gives one bool per endpoint."""
    return cast(BoolColumn, _function(emit.column(typed, numeric=False), _COLUMN, span, name))


def number_column(typed: Typed, span: Span, name: str) -> RatioColumn:
    """Return the function that gives one float per endpoint."""
    return cast(RatioColumn, _function(emit.column(typed, numeric=True), _COLUMN, span, name))


def condition(typed: Typed, span: Span, name: str) -> Condition:
    """Return the function that gives one bool."""
    return cast(Condition, _function(emit.condition(typed), _CONDITION, span, name))


_COLUMN = "endpoints, request, pool, now_s"
_CONDITION = "request, pool, now_s"


def source_of(emitter: emit.Emitter, parameters: str) -> str:
    """Return the whole text of the generated function."""
    body = "\n".join(f"    {line}" for line in emitter.before)
    return f"def rule({parameters}):\n{body}\n"


def _function(
    emitter: emit.Emitter, parameters: str, span: Span, name: str
) -> Callable[..., Any]:  # Any: the parameters differ; each caller casts to the type it built
    module = ast.parse(source_of(emitter, parameters))
    line, column = span.source.line_column(span.start)
    for part in ast.walk(module):
        if isinstance(part, ast.stmt | ast.expr | ast.arg | ast.excepthandler | ast.keyword):
            part.lineno, part.end_lineno = line, line
            part.col_offset, part.end_col_offset = column - 1, column - 1
    filename = f"<sched:{span.source.name}:{name}>"
    # The traceback module then prints the policy's line, as it does for files.
    lines = span.source.text.splitlines(keepends=True)
    linecache.cache[filename] = (len(span.source.text), None, lines, filename)
    values: dict[str, Any] = {**namespace(), **emitter.constants}  # Any: globals of exec
    exec(compile(module, filename, "exec"), values)  # noqa: S102 - our own text and reprs only
    return cast(Callable[..., Any], values["rule"])
