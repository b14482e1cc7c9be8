"""The readable texts of a request, in order, and where each stands."""

from headrace.extensions.apis import Api
from headrace.extensions.texts import grpc
from headrace.extensions.texts.asked import LAYOUTS
from headrace.extensions.texts.layout import At, decoded, read
from headrace.extensions.texts.values import Passage

USER = At("user")


def passages(api: Api, body: bytes) -> tuple[Passage, ...]:
    """Return what *body*, a request that was accepted as one of *api*, says.

    The texts are those of its `Call`, in that order. A prompt of token ids has none: whoever
    must not pass what cannot be read looks at `Call.token_ids` too.

    Raises:
        Unreadable: *body* is no JSON, or for gRPC no message.
    """
    if api.grpc:
        return grpc.passages(api, body)
    found = read(LAYOUTS[api], decoded(body), False, USER)
    return tuple([Passage(f.at.role, f.said, f.text, f.path, f.at.turn, f.whole) for f in found])
