"""Plain CEL by itself: a text and declarations in, something to evaluate out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.dsl.cel import generate
from headrace.dsl.cel.declared import Declarations
from headrace.dsl.cel.folds import Steps
from headrace.dsl.cel.infer import Checker
from headrace.dsl.cel.infer_calls import check_call
from headrace.dsl.cel.kinds import DYN, Type, bare
from headrace.dsl.cel.library import Function, Run, overload
from headrace.dsl.cel.values import Fault, given_out, taken_in
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import PolicyError, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.build_expr import ExprBuilder, TooDeep
from headrace.dsl.syntax.grammar import Misfit, parse
from headrace.dsl.syntax.tree import Expr

CHARS_MAX = 64 * 1024
SIZE_MAX, DEPTH_MAX = 5000, 80
STEPS_MAX = 250_000


class CelError(PolicyError):
    """An expression was rejected. Holds every problem found, in the order of the text."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    type      what it evaluates to; dyn where only the run time knows
    reads     the variables it may read
    declared  the types of variables
    """

    text: str
    type: Type
    reads: frozenset[str]
    declared: Mapping[str, Type] = field(repr=False)
    run: generate.Expression = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, object], steps_max: int = STEPS_MAX) -> object:
        """Return the value of the expression with these *values* of its variables.

        Ints, floats, strings, bytes, bools, None, lists and maps are Python's own; a uint is a
        `Uint`, and `Timestamp`, `Duration`, `TypeName` and `Optional` are of this package.
        An int is taken for a uint or a double where the variable is declared so.
        Macros go through at most *steps_max* items.

        Raises:
            Fault: the evaluation fails; its `kind` says how.
        """
        declared = self.declared
        taken = {n: taken_in(values[n], declared.get(n, DYN)) for n in self.reads if n in values}
        try:
            return given_out(self.run(taken, Steps(steps_max)))
        except RecursionError:
            raise Fault("range", "the values are nested too deeply") from None
        except (AttributeError, MemoryError, OverflowError, TypeError) as error:
            # The code relies on the declared types; a text where an int was declared ends here.
            raise Fault("type", "a value is not of its declared type") from error


def compile(
    text: str,
    declarations: Mapping[str, Type] | Declarations | None = None,
    *,
    container: str = "",
    checked: bool = True,
    macros: bool = True,
    name: str = "<expression>",
) -> Expression:
    """Return the expression *text*; *declarations* are its variables, or more than those.

    Without *checked*, types are not checked, undeclared names are looked up at run time,
    and mistakes are faults of the evaluation.

    Raises:
        CelError: with every problem found.
    """
    match declarations:
        case Declarations():
            known = declarations
        case _:
            variables = declarations or {}
            known = Declarations(variables, container=container, checked=checked, macros=macros)
    source = Source(name, text)
    span, problems = Span(source, 0, len(text)), Problems()
    built = _built(text, span, problems)
    if built is None or problems.found:
        raise _error(problems, source)
    typed = Checker(problems, known, check_call).check(built)
    if typed.size > SIZE_MAX or typed.depth > DEPTH_MAX:
        problems.add("S110", span, "this expression is too large", f"{typed.size} parts")
    if any(d.level is Level.ERROR for d in problems.found):
        raise _error(problems, source)
    run = generate.expression(typed, span, "cel")
    return Expression(text, bare(typed.type), typed.reads, known.variables, run)


def function(*overloads: tuple[str, Run]) -> Function:
    """Return a function of one's own: each overload a signature and what runs.

    A signature reads `twice(int) -> int` or `pick(list(A), A) -> A`; all have one name.
    What runs raises `Fault` if it fails.
    """
    read = [overload(signature, run) for signature, run in overloads]
    names = {name for name, _ in read}
    assert len(names) == 1, names
    return Function(names.pop(), tuple(one for _, one in read))


def read(text: str, name: str = "<expression>") -> Expr:
    """Return the tree of plain CEL *text*, of which nothing is checked yet.

    Raises:
        CelError: the text is no expression.
    """
    source, problems = Source(name, text), Problems()
    built = _built(text, Span(source, 0, len(text)), problems)
    if built is None or problems.found:
        raise _error(problems, source)
    return built


def _built(text: str, span: Span, problems: Problems) -> Expr | None:
    if len(text) > CHARS_MAX:
        message = f"an expression has at most {CHARS_MAX // 1024} KiB of text"
        problems.add("S111", span.inner(0, 0), message)
        return None
    parsed = parse(text, "cel")
    if isinstance(parsed, Misfit):
        end = min(len(text), parsed.at + 1)
        word = text[parsed.at : end]
        message = f"unexpected `{word}`" if word else "the expression ends too early"
        problems.add("S101", span.inner(parsed.at, end), message, "cannot go on from here")
        return None
    try:
        return ExprBuilder(span, problems).written(parsed).expr
    except TooDeep as deep:
        problems.add("S110", deep.span, "this expression is nested too deeply", "too deep")
        return None


def _error(problems: Problems, source: Source) -> CelError:
    return CelError(problems.sorted([source.name]))
