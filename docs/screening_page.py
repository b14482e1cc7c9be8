"""The page of the matrix that is played through a real Envoy: what is screened, in which cells."""

from collections.abc import Iterator

from tests.e2e.screening.apis import APIS, Api
from tests.e2e.screening.cases import ACTIONS, PLANS, WAYS, cases, mask_cases

INTRO = """# What is screened

A guard that validates, loads and does nothing is the commonest fault of gateways. So every cell of
this matrix is played through a real Envoy by `make test`, and what arrives is compared byte by
byte with what was sent (`tests/e2e/test_screening.py`).

A secret stands in the middle of a text, which is prose or, where there are any, a tool's; the
answer is a stream or not; it all comes in pieces of {plans}, zipped and not. The numbers are how
many cases that makes.

| what must come of it | prompt | response |
|---|---|---|
| `block` | the model gets nothing | none of the secret's characters is delivered |
| `redact` | the model gets the text without it | the client does, in all of its copies |
| `log` | the body is forwarded, byte by byte | the answer is delivered, byte by byte |
| `mask` | the model gets a placeholder | the client gets what it had written |

What is blocked ends in an error in the shape of its API. A stream that is under way has whole
events as they were sent, then one error event and the end that clients of the API expect.
"""


def page() -> str:
    """Return the page `docs/reference/screening.md`."""
    intro = INTRO.format(plans=", ".join(PLANS))
    heads = [f"{way} {action}" for way in WAYS for action in ACTIONS]
    table = [f"| API | path | {' | '.join(heads)} | mask |", "|" + "---|" * (len(heads) + 3)]
    table += map(_row, APIS)
    total = sum(sum(_counts(api)) for api in APIS)
    return f"{intro}\n{chr(10).join(table)}\n\nThese are {total} cases.\n{_rest()}"


def _row(api: Api) -> str:
    return f"| {api.name} | `{api.path}` | {' | '.join(map(str, _counts(api)))} |"


def _counts(api: Api) -> list[int]:
    return [*_of_ways(api), len(mask_cases(api))]


def _of_ways(api: Api) -> Iterator[int]:
    for way in WAYS:
        here = cases(api, way)
        for action in ACTIONS:
            yield sum(case.action == action for case in here)


def _rest() -> str:
    return """
What no guard can read is never passed in silence: a prompt of token ids, a coding that is not
known, broken JSON. Each goes the way that `on unreadable` says, and is counted. A field or an
event that the API does not have is judged as a text of its own.
"""
