"""What the fuzzers have found to be worth keeping: every promise holds for it."""

import pytest

from tests.dsl.fuzzing.promises import CORPUS, PROMISES

BYTES_MAX = 200_000  # of each: it is read by every run of the tests


@pytest.mark.parametrize("begins", "0123456789abcdef")
@pytest.mark.parametrize("target", PROMISES)
def test_no_input_of_the_corpus_breaks_a_promise(target: str, begins: str) -> None:
    for path in sorted((CORPUS / target).glob(f"{begins}*")):
        print(path.name)  # the last one is the one that failed
        PROMISES[target](path.read_bytes())


@pytest.mark.parametrize("target", PROMISES)
def test_the_corpus_is_small(target: str) -> None:
    sizes = [path.stat().st_size for path in (CORPUS / target).iterdir()]

    assert len(sizes) >= 100
    assert sum(sizes) < BYTES_MAX
