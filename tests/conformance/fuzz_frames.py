"""Coverage-guided fuzzing of the native transport's core and of what reads its messages.

    python -m tests.conformance.fuzz_frames -max_total_time=60

Needs `atheris`, which nothing else here does. It begins with the tables of
`tests.conformance.http2` and with `tests/conformance/corpus`, and keeps there what it finds,
unless another folder is named first. What is promised is in `tests.conformance.fuzzing.promises`.
"""

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Where new coverage counts.
WATCHED = ["headrace.host.extproc.native", "headrace.host.extproc.codec", "hpack"]


def main(arguments: list[str]) -> None:
    """Fuzz with the arguments of libFuzzer."""
    atheris: Any = import_module("atheris")  # no types of its own
    with atheris.instrument_imports(include=WATCHED):
        # Imported here and not above: only what is imported here is watched.
        promises: Any = import_module("tests.conformance.fuzzing.promises")
    with TemporaryDirectory() as folder:
        for number, seed in enumerate(promises.seeds()):
            (Path(folder) / f"{number:03}").write_bytes(seed)
        limit = f"-max_len={promises.INPUT_BYTES_MAX}"
        atheris.Setup([*arguments, limit, str(promises.CORPUS), folder], promises.try_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
