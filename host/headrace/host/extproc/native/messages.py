"""gRPC's length-prefixed messages, cut out of the content of DATA frames."""

from dataclasses import dataclass

from headrace.host.extproc.native.blocks import IDENTITY_ONLY
from headrace.host.extproc.native.frames import PREFIX

PREFIX_BYTES = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a stream of messages cannot go on: the gRPC status that it ends with."""

    code: str
    message: str
    extra: tuple[tuple[str, str], ...] = ()


class Assembler:
    """Puts the messages of one stream together. Mutable.

    held_bytes  of a message that has not ended
    refusal     set once a message came that is not taken; nothing is returned after it
    """

    __slots__ = ("_bytes_max", "_encoding", "_held", "held_bytes", "refusal")

    def __init__(self, bytes_max: int, encoding: bytes) -> None:
        """Take messages of at most *bytes_max*; *encoding* is the stream's `grpc-encoding`."""
        self._bytes_max = bytes_max
        self._encoding = encoding
        self._held = bytearray()
        self.held_bytes = 0
        self.refusal: Refusal | None = None

    def feed(self, payload: bytes) -> list[bytes]:
        """Return the messages that end in *payload*, the next octets of the stream."""
        held = self._held
        if self.refusal is not None:
            return []
        if not held and len(payload) >= PREFIX_BYTES:  # nearly always: one frame, one message
            flag, size = PREFIX.unpack_from(payload)
            if not flag and size == len(payload) - PREFIX_BYTES <= self._bytes_max:
                return [payload[PREFIX_BYTES:]]
        held += payload
        return self._cut()

    def _cut(self) -> list[bytes]:
        messages: list[bytes] = []
        at, held = 0, self._held
        with memoryview(held) as octets:
            while len(held) - at >= PREFIX_BYTES and self.refusal is None:
                flag, size = PREFIX.unpack_from(held, at)
                self.refusal = self._refused(flag, size)
                end = at + PREFIX_BYTES + size
                if self.refusal is not None or end > len(held):
                    break
                messages.append(bytes(octets[at + PREFIX_BYTES : end]))
                at = end
        if self.refusal is not None:
            held.clear()
        else:
            del held[:at]
        self.held_bytes = len(held)
        return messages

    def _refused(self, flag: int, size: int) -> Refusal | None:
        if size > self._bytes_max:
            text = f"message of {size} bytes, the limit is {self._bytes_max}"
            return Refusal("RESOURCE_EXHAUSTED", text)
        if not flag:
            return None
        if flag == 1 and self._encoding not in (b"", b"identity"):
            return Refusal("UNIMPLEMENTED", "compressed messages are not taken", IDENTITY_ONLY)
        # The gRPC protocol: without a message encoding the flag must be 0.
        return Refusal("INTERNAL", "a message says it is compressed, its stream does not")
