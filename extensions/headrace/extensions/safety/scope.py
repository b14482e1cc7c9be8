"""How much of a conversation a guard of the prompt looks at."""

from collections.abc import Sequence

from headrace.dsl.guarding import Scope
from headrace.extensions.call import Api
from headrace.extensions.texts.values import Passage

USER = "user"
MODELS = frozenset(("assistant", "model"))  # the latter is Gemini's word
TALKS = frozenset(
    (
        Api.CHAT,
        Api.CHAT_RENDER,
        Api.RESPONSES,
        Api.CONVERSATIONS,
        Api.MESSAGES,
        Api.COUNT_TOKENS,
        Api.GEMINI,
    )
)
"""The APIs whose bodies are conversations. Of any other, all that is asked is new."""


def in_scope(passages: Sequence[Passage], scope: Scope, api: Api) -> tuple[int, ...]:
    """Return which of *passages*, from 0, are within *scope*: never none if there are any.

    new_turns  what stands behind the last message of the model
    last_turn  the last message of the user; all that is new if the user says nothing in it
    """
    everything = tuple(range(len(passages)))
    if scope is Scope.ALL or api not in TALKS:
        return everything
    answered = max((p.turn for p in passages if p.role in MODELS), default=-1)
    new = tuple(at for at in everything if passages[at].turn > answered)
    if scope is Scope.LAST_TURN:
        last = max((passages[at].turn for at in new if passages[at].role == USER), default=None)
        new = tuple(at for at in new if last is None or passages[at].turn == last)
    return new or everything
