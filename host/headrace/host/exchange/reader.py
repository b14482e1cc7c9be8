"""Read one response body for the stages: decode it, cut it into events, keep what they may see."""

from headrace.extensions.headers import Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject, ResponseEvent
from headrace.host.exchange.coding import CodingFault, CodingUnknown, Decoder, TooLarge
from headrace.host.exchange.event_stream import EventSplitter
from headrace.host.exchange.limits import Limits


class ReadFault(Exception):
    """A gated response cannot be read, so it must not pass. *reject* is what to answer."""

    def __init__(self, reject: Reject) -> None:
        self.reject = reject
        super().__init__(reject.message)


class Reader:
    """Turns the bytes of one response body into events. Written by its ResponseSide.

    event_stream  the body is server-sent events; else it is one event, when it is whole
    truncated     observers do not see (all of) this body: too large or not readable
    """

    def __init__(self, headers: Headers, gated: bool, limits: Limits) -> None:
        media = headers.get("content-type").partition(";")[0].strip().lower()
        self.event_stream = media == "text/event-stream"
        self.truncated = False
        self.whole = b""
        self._gated = gated
        self._bound = limits.gate_bytes_max if gated else limits.observe_bytes_max
        self._splitter = EventSplitter()
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._decoder: Decoder | None = None
        if "content-encoding" in headers:
            self._open_decoder(headers)

    @property
    def rewrites(self) -> bool:
        """Whether gated bytes leave decoded, so that `content-encoding` must go."""
        return self._gated and self._decoder is not None and not self._decoder.identity

    def push(self, data: bytes) -> list[ResponseEvent]:
        """Return the events that *data* completes.

        Raises:
            ReadFault: the response is gated and cannot be read or held.
        """
        if self.truncated:
            self._fail_gated()
            return []
        try:
            content = self._decoder.push(data) if self._decoder else data
        except (CodingFault, TooLarge):
            return self._give_up()
        if self.event_stream:
            events = self._splitter.push(content)
            return self._give_up() if len(self._splitter.rest) > self._bound else events
        self._pieces.append(content)
        self._held_bytes += len(content)
        return self._give_up() if self._held_bytes > self._bound else []

    def finish(self) -> list[ResponseEvent]:
        """Return the events that the end of the body completes.

        Raises:
            ReadFault: as `push`.
        """
        if self.truncated:
            self._fail_gated()
            return []
        try:
            if self._decoder:
                self._decoder.finish()
        except CodingFault:
            return self._give_up()
        if self.event_stream:
            return self._splitter.finish()
        self.whole, self._pieces = b"".join(self._pieces), []
        return [ResponseEvent(self.whole, self.whole, False)] if self.whole else []

    def _open_decoder(self, headers: Headers) -> None:
        # An event stream has no end to bound: what is held of it is bounded instead.
        bound = 1 << 62 if self.event_stream else self._bound
        try:
            self._decoder = Decoder(",".join(headers.all("content-encoding")), bound)
        except CodingUnknown:
            self.truncated = True

    def _give_up(self) -> list[ResponseEvent]:
        self.truncated = True
        self._pieces, self._splitter = [], EventSplitter()
        self._fail_gated()
        return []

    def _fail_gated(self) -> None:
        if self._gated:
            message = "the upstream's response cannot be screened: too large or not readable"
            raise ReadFault(Reject(Reason.RESPONSE_UNREADABLE, message))
