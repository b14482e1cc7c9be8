"""What all other hosts have open, merged from their notes, whatever way these came.

Of each host and endpoint the newest word counts. A word that is not said again expires, so that
a lost note, or a host that is gone, is wrong for `SAID_S` at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.extensions.picker.peers.note import SAID_S, Note, Share

HOSTS_MAX = 256
SHARES_MAX = 8192  # of one host
NUMBERS_MAX = 4096  # of one host, by which a note that comes twice is known

Place = tuple[str, str]  # pool and address


@dataclass(slots=True)
class Host:
    """What one other host has said. Written by `Heard`.

    said   place -> the share, the number of its note, and when that came
    """

    said: dict[Place, tuple[Share, int, float]] = field(
        default_factory=dict[Place, tuple[Share, int, float]]
    )
    numbers: dict[int, None] = field(default_factory=dict[int, None])
    newest_s: float = float("-inf")
    heard_s: float = 0.0
    left: bool = False


@dataclass(slots=True)
class Heard:
    """Merges notes. Mutable; times of *now_s* are monotonic, of notes Unix seconds.

    own  the origin of our own notes, which some ways bring back
    """

    own: str
    _hosts: dict[str, Host] = field(default_factory=dict[str, Host])

    def __len__(self) -> int:
        """Return how many other hosts there are."""
        return sum(not host.left for host in self._hosts.values())

    def age_s(self, now_s: float) -> float:
        """Return how long ago the most silent of the other hosts was heard; 0 without any."""
        return max((now_s - h.heard_s for h in self._hosts.values() if not h.left), default=0.0)

    def take(self, note: Note, now_s: float) -> set[Place] | None:
        """Take over *note*; return the places whose sum may be another now.

        None if it says nothing: it is our own, or came before, or is older than `SAID_S`, or
        there are too many hosts.
        """
        host = self._host(note, now_s)
        if host is None or note.number in host.numbers or note.sent_s < host.newest_s - SAID_S:
            return None
        host.numbers[note.number] = None
        while len(host.numbers) > NUMBERS_MAX:
            del host.numbers[next(iter(host.numbers))]
        host.newest_s, host.heard_s = max(host.newest_s, note.sent_s), now_s
        if note.leaving or host.left:
            host.left = True
            changed = set(host.said)
            host.said.clear()
            return changed
        return {p for share in note.shares if (p := self._put(host, share, note.number, now_s))}

    def expire(self, now_s: float) -> set[Place]:
        """Forget what was not said again; return the places whose sum is another now."""
        changed: set[Place] = set()
        for origin, host in list(self._hosts.items()):
            late = [place for place, (_, _, s) in host.said.items() if now_s - s > SAID_S]
            for place in late:
                del host.said[place]
            changed.update(late)
            if now_s - host.heard_s > SAID_S and not host.said:
                del self._hosts[origin]
        return changed

    def shares(self, place: Place) -> Iterator[Share]:
        """Yield what each other host has at *place*."""
        for host in self._hosts.values():
            found = host.said.get(place)
            if found is not None:
                yield found[0]

    def _host(self, note: Note, now_s: float) -> Host | None:
        if note.origin == self.own:
            return None
        host = self._hosts.get(note.origin)
        if host is None and len(self._hosts) < HOSTS_MAX:
            host = self._hosts[note.origin] = Host(heard_s=now_s)
        return host

    def _put(self, host: Host, share: Share, number: int, now_s: float) -> Place | None:
        place = (share.pool, share.address)
        old = host.said.get(place)
        if old is None and len(host.said) >= SHARES_MAX:
            return None
        if old is not None and old[1] > number:
            return None
        host.said[place] = (share, number, now_s)
        return None if old is not None and old[0] == share else place
