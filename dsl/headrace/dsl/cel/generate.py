"""Compile generated source to functions whose tracebacks show the policy."""

import ast
import linecache
from collections.abc import Callable, Mapping
from typing import Any, cast

from headrace.dsl.cel import emit
from headrace.dsl.cel.folds import Steps
from headrace.dsl.cel.runtime import namespace
from headrace.dsl.cel.typed import Typed
from headrace.dsl.program import Afterwards, BoolColumn, Condition, RatioColumn
from headrace.dsl.source import Span

Expression = Callable[[Mapping[str, object], Steps], object]


def bool_column(typed: Typed, span: Span, name: str) -> BoolColumn:
    """Return the function that gives one bool per endpoint."""
    emitter = _asked(emit.column(typed, numeric=False), typed)
    return cast(BoolColumn, _function(emitter, _COLUMN, span, name))


def number_column(typed: Typed, span: Span, name: str) -> RatioColumn:
    """Return the function that gives one float per endpoint."""
    emitter = _asked(emit.column(typed, numeric=True), typed)
    return cast(RatioColumn, _function(emitter, _COLUMN, span, name))


def condition(typed: Typed, span: Span, name: str) -> Condition:
    """Return the function that gives one bool."""
    emitter = _asked(emit.condition(typed), typed)
    return cast(Condition, _function(emitter, _CONDITION, span, name))


def afterwards(typed: Typed, span: Span, name: str) -> Afterwards:
    """Return the function that gives one value of what was decided and answered."""
    return cast(Afterwards, _function(emit.condition(typed), _AFTERWARDS, span, name))


def expression(typed: Typed, span: Span, name: str) -> Expression:
    """Return the function that gives the value of an expression, or raises its Fault."""
    emitter = emit.Emitter(in_loop=False, counted=True)
    emitter.before.append(f"return {emitter.code(typed)}")
    return cast(Expression, _function(emitter, _EXPRESSION, span, name))


def _asked(emitter: emit.Emitter, typed: Typed) -> emit.Emitter:
    """Return *emitter* with the model that was asked for at hand, if it is read."""
    if any(name.startswith("model.") for name in typed.reads):
        emitter.before.insert(0, "model = request.asked")
    return emitter


_AFTERWARDS = "request, model, decision, response, now_s"
_EXPRESSION = "values, steps"
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
    # A test's title may have any character in it, and Python refuses some in a file name.
    shown = "".join(c if c.isprintable() else "?" for c in f"{span.source.name}:{name}")
    filename = f"<sched:{shown}>"
    # The traceback module then prints the policy's line, as it does for files.
    lines = span.source.text.splitlines(keepends=True)
    linecache.cache[filename] = (len(span.source.text), None, lines, filename)
    values: dict[str, Any] = {**namespace(), **emitter.constants}  # Any: globals of exec
    exec(compile(module, filename, "exec"), values)  # noqa: S102 - our own text and reprs only
    return cast(Callable[..., Any], values.pop("rule"))
