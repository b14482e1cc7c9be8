"""What was judged a moment ago: verdicts by a keyed hash of the text, which is not kept."""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

from headrace.extensions.safety.contract import Verdict

DIGEST_BYTES = 16
KEY_BYTES = 32


def key_from(secret: bytes) -> bytes:
    """Return the key of all hashes of texts, made of a *secret* of the host."""
    return blake2b(b"headrace texts", key=blake2b(secret).digest(), digest_size=KEY_BYTES).digest()


def keyed(key: bytes, texts: Iterable[str]) -> bytes:
    """Return the keyed hash of *texts*, in their order; without the key it says nothing of them."""
    hashed = blake2b(key=key, digest_size=DIGEST_BYTES)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.digest()


class Memory:
    """Verdicts that still count. Written from the event loop's thread, by its guard.

    keep_s       how long a verdict counts
    entries_max  how many are kept; the one that was asked for the longest ago goes first
    """

    __slots__ = ("_entries", "_entries_max", "_keep_s")

    def __init__(self, keep_s: float, entries_max: int) -> None:
        self._keep_s = keep_s
        self._entries_max = entries_max
        self._entries: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, now_s: float) -> Verdict | None:
        """Return the verdict on the text with this *key*, None if there is none that counts."""
        found = self._entries.get(key)
        if found is None:
            return None
        until_s, verdict = found
        if now_s >= until_s:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return verdict

    def put(self, key: bytes, verdict: Verdict, now_s: float) -> None:
        """Keep *verdict*, which must be about one text and whole."""
        self._entries[key] = (now_s + self._keep_s, verdict)
        self._entries.move_to_end(key)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
