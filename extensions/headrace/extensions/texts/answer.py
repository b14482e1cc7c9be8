"""The readable texts of a whole answer, and where each stands."""

from headrace.extensions.apis import Api
from headrace.extensions.texts.layout import At, Json, Rule, read, single
from headrace.extensions.texts.told import ANSWERS, GENERATED, GENERATED_MANY
from headrace.extensions.texts.values import Passage, Unreadable

MODEL = At("assistant")


def passages(api: Api, body: bytes) -> tuple[Passage, ...]:
    """Return what *body*, a whole answer of *api*, says; an error's message too.

    *turn* counts the choices. Whoever lets through less than all must take out what repeats
    the text elsewhere: see `copies`.

    Raises:
        Unreadable: it is no JSON, has a name twice in an object, or token ids instead of text.
    """
    if api is Api.GRPC_EMBED:
        return ()
    if api is Api.GRPC_GENERATE:
        raise Unreadable("the answer has its text as token ids")
    value = single(body)
    return tuple(
        [
            Passage(f.at.role, f.said, f.text, f.path, f.at.choice, f.whole)
            for f in read(_rule(api, value), value, True, MODEL)
            if f.text
        ]
    )


def _rule(api: Api, value: Json) -> Rule:
    if api is Api.GENERATE:
        return GENERATED_MANY if isinstance(value, list) else GENERATED
    if api is Api.GEMINI and isinstance(value, list):
        # Its text is cut anywhere, between two elements too, so it is no text by itself.
        raise Unreadable("the answer is a stream as a JSON list; ask with `alt=sse`")
    return ANSWERS[api]
