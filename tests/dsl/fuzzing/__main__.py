"""Coverage-guided fuzzing of the language.

    python -m tests.dsl.fuzzing policy|cel|format [FOLDER...] [-max_total_time=600]

Needs `atheris`, which nothing else here does. It begins with `seeds.py` and the target's corpus,
and keeps what it finds there, unless another folder is named first.
"""

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TARGETS = ("policy", "cel", "format")
SECONDS_MAX = 20  # for one input; instrumented code is some ten times slower


def main(arguments: list[str]) -> None:
    """Fuzz the target that is named first, with the arguments of libFuzzer behind it."""
    if not arguments or arguments[0] not in TARGETS:
        sys.exit(__doc__)
    target, *rest = arguments
    # By which libFuzzer starts itself again, to merge and to minimise; a shell reads it.
    program = f"{sys.executable} -m tests.dsl.fuzzing {target}"
    # Atheris has no types, and what it instruments is imported within.
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["headrace.dsl"]):
        promises: Any = import_module("tests.dsl.fuzzing.promises")
    found: Any = import_module("tests.dsl.fuzzing.seeds")
    with TemporaryDirectory() as folder:
        words = Path(folder, "words")
        words.write_text(found.dictionary())
        corpus = Path(folder, "seeds")
        corpus.mkdir()
        for number, seed in enumerate(found.seeds(target)):
            (corpus / f"{number:03}").write_bytes(seed)
        limits = [f"-timeout={SECONDS_MAX}", f"-max_len={promises.INPUT_BYTES_MAX}"]
        kept = promises.CORPUS / target
        kept.mkdir(parents=True, exist_ok=True)
        atheris.Setup(
            [program, *rest, *limits, f"-dict={words}", str(kept), str(corpus)],
            promises.PROMISES[target],
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
