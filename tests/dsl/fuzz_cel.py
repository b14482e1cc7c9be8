"""Fuzz plain CEL with atheris: `python -m tests.dsl.fuzz_cel [CORPUS...] [-max_total_time=300]`.

Whatever the bytes, compiling refuses or succeeds, and evaluating gives a value or a Fault.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

STEPS_MAX = 10_000
VALUES = {"x": 3, "s": "text", "l": [1, 2.5, "a"], "m": {"a": 1, True: [None]}}


def target() -> Callable[[bytes], None]:
    """Return what compiles, writes out and evaluates one input."""
    # Imported here, where atheris watches which branches are taken.
    from headrace.dsl.cel import CelError, Fault, compile, pure_cel
    from headrace.dsl.cel.expression import read

    def one_input(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for checked in (True, False):
            with suppress(CelError, Fault):
                compile(text, checked=checked).evaluate(VALUES, STEPS_MAX)
        with suppress(CelError):
            pure_cel(read(text))

    return one_input


def main(arguments: Sequence[str]) -> None:
    """Run the fuzzer until it is stopped or finds something."""
    import atheris  # pyright: ignore[reportMissingTypeStubs]

    untyped: Any = atheris  # Any: a compiled module without types
    with untyped.instrument_imports(include=["headrace"]):
        one_input = target()
    untyped.Setup([*arguments], one_input)
    untyped.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
