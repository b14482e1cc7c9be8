"""What one role of a host tells the next about a request: where it goes, signed, in a header.

On Google's load balancers routing, screening and picking are called at three places. Each
call sees the request's headers and nothing of the calls before, and a client can write any
header: so what was decided is believed only with the tag that the host's own key makes.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from headrace.extensions.values import Route

HANDED = "x-headrace-route"
TOKEN_CHARS_MAX = 8192
_TAG_BYTES = 16
_DOMAIN = b"headrace route\0"  # a session's token, signed by the same key, is none of these


class Handed(msgspec.Struct, frozen=True, array_like=True):
    """A route, and what of it only the role that routes knows.

    asked  the model, in the client's word
    base   the base model that it is an adapter of; empty if none is known
    """

    request_id: str
    asked: str
    model: str
    pool: str
    target: str
    adapter: str = ""
    priority: int = 0
    profile: str = "default"
    kind: str = ""
    share_bucket: float = 0.0
    session: str | None = None
    mirror: str = ""
    base: str = ""

    def route(self) -> Route:
        """Return the route, without the facts that the policy has of its model."""
        return Route(
            model=self.model,
            pool=self.pool,
            target=self.target,
            adapter=self.adapter,
            priority=self.priority,
            profile=self.profile,
            kind=self.kind,
            share_bucket=self.share_bucket,
            session=self.session,
        )


def handed(request_id: str, asked: str, route: Route, mirror: str = "", base: str = "") -> Handed:
    """Return *route* as it is handed on with the request *request_id*."""
    return Handed(
        request_id,
        asked,
        route.model,
        route.pool,
        route.target,
        route.adapter,
        route.priority,
        route.profile,
        route.kind,
        route.share_bucket,
        route.session,
        mirror,
        base,
    )


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs what is handed on. *key*: who has it can route requests; it must not be empty."""

    key: bytes = field(repr=False)

    def sign(self, said: Handed) -> str:
        """Return *said* with a tag, in base64; empty if it is too long for a header, or no text."""
        try:
            payload = msgspec.json.encode(said)
        except UnicodeEncodeError:  # a request id, or a session, of octets that are no UTF-8
            return ""
        token = urlsafe_b64encode(self._tag(payload) + payload).decode("ascii")
        return token if len(token) <= TOKEN_CHARS_MAX else ""

    def read(self, request_id: str, token: str) -> Handed | None:
        """Return what *token* says of the request *request_id*; None if it is not one of ours."""
        if len(token) > TOKEN_CHARS_MAX:
            return None
        try:
            octets = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return None
        tag, payload = octets[:_TAG_BYTES], octets[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload)):
            return None
        try:
            said = msgspec.json.decode(payload, type=Handed)
        except msgspec.MsgspecError:  # signed by another version
            return None
        return said if said.request_id == request_id else None

    def _tag(self, payload: bytes) -> bytes:
        return hmac.new(self.key, _DOMAIN + payload, sha256).digest()[:_TAG_BYTES]
