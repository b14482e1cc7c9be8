"""What ties one request to endpoints of its pool, found when a rule first asks."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.extensions.call import Call
from headrace.extensions.picker.affinity import TOKEN, Affinity, Tokens
from headrace.extensions.stage import Request
from headrace.extensions.values import NO_BONDS, Bonds


@dataclass(slots=True)
class Ties:
    """The ties of one request. Written by the hooks of its exchange only.

    affinity  what its pool remembers; None if the pool is gone
    tokens    reads the token that the client brings; None: none is believed
    media     whether to ask who was sent its images, sounds and files
    forged    it brought a token that is none of ours
    """

    request: Request = field(repr=False)
    pool: str
    now_s: float
    affinity: Affinity | None = None
    tokens: Tokens | None = None
    media: bool = False
    forged: bool = False

    def find(self, session: str) -> Bonds:
        """Return the ties of *session*, which may be empty: a token of ours goes before its id."""
        found = NO_BONDS
        if self.affinity is not None:
            found = self.affinity.bonds(session, self.now_s)
            if self.media:
                found = replace(found, media=self.affinity.media(digests(self.request)))
        token = self.request.headers.get(TOKEN) if self.tokens else ""
        if not token or self.tokens is None:
            return found
        address = self.tokens.read(self.pool, token)
        self.forged = not address
        return replace(found, session_at=address) if address else found


def digests(request: Request) -> list[int]:
    """Return what the images, sounds and files of *request* are known by, in order."""
    call = request.call
    return [piece.digest for piece in call.media] if isinstance(call, Call) else []
