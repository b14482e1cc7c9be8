"""What a pool remembers of requests: where sessions are, cold prompts, and what media went where.

A session is bound by its id, in a bounded table that forgets, or by a token that the client
brings back: the endpoint's address, signed, so that a client can return there and cannot
choose. Source: llm-d-router, session-affinity-scorer, no-hit-lru-scorer and
mm-embeddings-cache-producer.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from headrace.extensions.values import NO_COLD, Bonds

NO_MEDIA: Mapping[str, float] = {}
SESSIONS_MAX = 65_536  # of one pool; at about 250 bytes each
SESSION_TTL_S = 300.0  # after its last request
MEDIA_MAX = 2048  # of one endpoint: 4 GiB of 2 MiB each, as the reference counts
MEDIA_ASKED_MAX = 256  # of one prompt; further ones are not looked at
TOKEN = "x-session-token"  # noqa: S105 - the name of a header
TOKEN_CHARS_MAX = 512
_TAG_BYTES = 16


@dataclass(slots=True)
class Affinity:
    """What one pool remembers. Written from the event loop's thread only."""

    sessions_max: int = SESSIONS_MAX
    _sessions: "OrderedDict[str, tuple[str, float]]" = field(
        default_factory=OrderedDict[str, tuple[str, float]], repr=False
    )
    _cold: Mapping[str, int] = field(default_factory=lambda: NO_COLD, repr=False)
    _colds: int = 0
    _media: "dict[str, OrderedDict[int, None]]" = field(
        default_factory=dict[str, "OrderedDict[int, None]"], repr=False
    )

    def __len__(self) -> int:
        """Return how many sessions are bound."""
        return len(self._sessions)

    def bonds(self, session: str, now_s: float) -> Bonds:
        """Return what is known for a request of *session*, which may be empty."""
        address, seen_s = self._sessions.get(session, ("", now_s))
        return Bonds("" if now_s - seen_s > SESSION_TTL_S else address, self._cold)

    def bind(self, session: str, address: str, now_s: float) -> None:
        """Bind *session* to *address* for `SESSION_TTL_S` from now; an empty one is none."""
        if not session:
            return
        self._sessions[session] = (address, now_s)
        self._sessions.move_to_end(session)
        while self._sessions:  # the one that was used longest ago comes first
            _, seen_s = next(iter(self._sessions.values()))
            if len(self._sessions) <= self.sessions_max and now_s - seen_s <= SESSION_TTL_S:
                break
            self._sessions.popitem(last=False)

    def heard(self, session: str, address: str, bound_s: float) -> None:
        """Take over that another host bound *session* at *bound_s*, if ours is not newer.

        Of two at one time, the greater address counts: all hosts then agree.
        """
        known = self._sessions.get(session)
        if known is None or (bound_s, address) > (known[1], known[0]):
            self.bind(session, address, bound_s)

    def went_cold(self, address: str) -> None:
        """Note that *address* was given a prompt that nobody had cached."""
        self._colds += 1
        # Made anew: a decision keeps the mapping that it saw.
        self._cold = {**self._cold, address: self._colds}

    def media(self, digests: Sequence[int]) -> Mapping[str, float]:
        """Return per endpoint which share of *digests* it was sent; absent means 0.

        One that is there twice counts once.
        """
        asked = dict.fromkeys(digests[:MEDIA_ASKED_MAX])
        if not asked:
            return NO_MEDIA
        had = {a: sum([d in known for d in asked]) for a, known in self._media.items()}
        return {address: count / len(asked) for address, count in had.items() if count}

    def sent(self, address: str, digests: Sequence[int]) -> None:
        """Note that *address* was sent these; of what it was sent, the latest are remembered."""
        if not digests:
            return
        known = self._media.setdefault(address, OrderedDict())
        for digest in digests[:MEDIA_ASKED_MAX]:
            known[digest] = None
            known.move_to_end(digest)
        while len(known) > MEDIA_MAX:
            known.popitem(last=False)

    def restarted(self, address: str) -> None:
        """Forget what media the server at *address* was sent: it is gone, or began anew."""
        self._media.pop(address, None)

    def keep_only(self, addresses: Mapping[str, int]) -> None:
        """Forget every endpoint that is not among *addresses*."""
        gone = [s for s, (address, _) in self._sessions.items() if address not in addresses]
        for session in gone:
            del self._sessions[session]
        self._cold = {a: order for a, order in self._cold.items() if a in addresses}
        self._media = {a: known for a, known in self._media.items() if a in addresses}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Signs addresses for clients to bring back. *key*: who has it can choose an endpoint."""

    key: bytes = field(repr=False)

    def sign(self, pool: str, address: str) -> str:
        """Return the token for *address* of *pool*: its address and a tag, in base64."""
        named = address.encode("utf-8", "surrogatepass")
        return urlsafe_b64encode(self._tag(pool, named) + named).decode("ascii")

    def read(self, pool: str, token: str) -> str:
        """Return the address that *token* was signed for; empty if it is not one of ours."""
        if len(token) > TOKEN_CHARS_MAX:
            return ""
        try:
            octets = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return ""
        tag, named = octets[:_TAG_BYTES], octets[_TAG_BYTES:]
        if not named or not hmac.compare_digest(tag, self._tag(pool, named)):
            return ""
        return named.decode("utf-8", "surrogatepass")

    def _tag(self, pool: str, address: bytes) -> bytes:
        said = pool.encode("utf-8", "surrogatepass") + b"\0" + address
        return hmac.new(self.key, said, sha256).digest()[:_TAG_BYTES]
