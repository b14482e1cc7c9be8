"""Fuzz the compiler with atheris: `python -m tests.dsl.fuzz_policy [CORPUS] -max_total_time=300`.

Any bytes are checked and all that is found is rendered; nothing may raise or hang. Not a
test itself: atheris instruments what it imports, and runs until it is told to stop.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

SECONDS_MAX = 20  # for one input; instrumented code is some ten times slower


def main() -> None:
    """Run libFuzzer with the arguments of this process."""
    # Atheris has no types, and what it instruments is imported within.
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["headrace.dsl"]):
        checked: Any = import_module("tests.dsl.policies_of_bytes").checked_and_shown
    checked(b"sched 1")  # the parser is built once, and not while an input is timed

    def one(data: bytes) -> None:
        checked(data)

    atheris.Setup([*sys.argv, f"-timeout={SECONDS_MAX}", "-max_len=4096"], one)
    atheris.Fuzz()


def seed(folder: Path) -> None:
    """Put the golden policies into *folder*, for a fuzzer to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((Path(__file__).parent / "errors").glob("*.txt")):
        text = path.read_text().partition("----\n")[0]
        (folder / path.name).write_text(text)


if __name__ == "__main__":
    main()
