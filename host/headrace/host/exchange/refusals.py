"""Why a request is refused that this body mode cannot do justice to, with the cure."""

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject


def too_large(bound: int) -> Reject:
    """Return the refusal of a body above *bound* bytes."""
    return Reject(Reason.BODY_TOO_LARGE, f"body is larger than {bound} bytes, send less")


def unavailable(why: str) -> Reject:
    """Return the refusal of a request that *why* says what of it could not be seen or changed."""
    cure = "set request_body_mode to FULL_DUPLEX_STREAMED or BUFFERED"
    return Reject(Reason.BODY_UNAVAILABLE, f"the request {why}; {cure}")


def whole_too_large(bound: int) -> Reject:
    """Return the refusal of a body before trailers for which one reply of *bound* is too small."""
    why = f"has trailers, so that its body goes on in one reply, of at most {bound} bytes"
    return Reject(Reason.BODY_UNAVAILABLE, f"the request {why}; send it without trailers")


def never_ended() -> Reject:
    """Return the refusal of an answer to a request of which Envoy did not show the end.

    Its body was withheld until its end, and went upstream empty.
    """
    return unavailable("was answered before its body had ended: it may have trailers")
