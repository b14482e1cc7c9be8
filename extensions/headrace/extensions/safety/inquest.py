"""What the guards of one direction of one exchange have said, and what follows from it."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from headrace.dsl.guarding import OnMatch, OnTrouble, SafetyRule
from headrace.dsl.values import RuleFault
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, RuleError, Verdict
from headrace.extensions.safety.contract import Direction, Judged, Kind, Trouble
from headrace.extensions.safety.contract import Verdict as Said
from headrace.extensions.safety.memory import DIGEST_BYTES
from headrace.extensions.safety.post import Post
from headrace.extensions.stage import Reject

FINDINGS_MAX = 16  # of one guard in one direction
WORD_CHARS_MAX = 64
UNREADABLE_IDS = "a prompt of token ids cannot be screened; send text"


class Tally:
    """What one guard has done so far. Written by its inquest."""

    __slots__ = ("action", "findings", "hashed", "inspected", "reason", "state", "took_s")

    def __init__(self, key: bytes) -> None:
        self.state = "skipped"
        self.reason = "no-text"
        self.action = ""
        self.findings: dict[str, None] = {}
        self.inspected = 0
        self.took_s = 0.0
        self.hashed = blake2b(key=key, digest_size=DIGEST_BYTES)


class Inquest:
    """One direction of one exchange. Written by the filter of that exchange.

    delivered  bytes of text that went on
    """

    __slots__ = ("_found", "_posts", "_tallies", "delivered", "direction", "records", "rule")

    def __init__(self, rule: SafetyRule, direction: Direction, posts: Sequence[Post]) -> None:
        self.rule = rule
        self.direction = direction
        self.records: list[object] = []
        self.delivered = 0
        self._posts = {post.name: post for post in posts}
        self._tallies = {post.name: Tally(post.key) for post in posts}
        self._found: dict[str, Said] = {}

    def skip(self, post: Post, reason: str) -> None:
        """Note that *post* had nothing to do here."""
        self._tallies[post.name].reason = reason

    def ended_before(self, posts: Iterable[Post]) -> None:
        """Note that *posts* were not asked, since a guard before them has ended it."""
        for post in posts:
            self.skip(post, "ended-before")

    def action(self, post: Post) -> OnMatch:
        """Return what is done about what *post* finds."""
        if self.rule.inspect_only:
            return OnMatch.LOG
        answers = self.direction is Direction.RESPONSE
        if post.guard.on_match is OnMatch.MASK and answers:
            return OnMatch.REDACT  # what a model writes of itself has no original to be given back
        return post.guard.on_match

    def inspected(self, post: Post, texts: Sequence[str], took_s: float = 0.0) -> None:
        """Note that *post* has looked at *texts*, each for the first time."""
        tally = self._tallies[post.name]
        tally.took_s += took_s
        if texts and tally.state == "skipped":
            tally.state, tally.reason = "applied", ""
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            tally.inspected += len(data)
            tally.hashed.update(data)

    def took(self, post: Post, took_s: float) -> None:
        """Note that the verdict of *post*, or that there is none, took so long."""
        self._tallies[post.name].took_s += took_s

    def unread(self, post: Post, what: str) -> None:
        """Note that *post* was applied, though not to *what*, which is no text."""
        tally = self._tallies[post.name]
        if tally.state == "applied" and not tally.reason:
            tally.reason = what

    def hear(self, post: Post, judged: Judged, action: OnMatch | None = None) -> Reject | None:
        """Take a verdict, or that there is none. Returns what the client is told if that ends it.

        action  what is done about a find, if not what the policy says
        """
        if isinstance(judged, Trouble):
            return self._fail(post, judged.kind.value, post.on(judged), judged)
        reject = None
        if judged.hits:
            reject = self._find(post, judged, action or self.action(post))
        if reject is None and judged.partial:
            return self._fail(post, "partial", post.guard.on_partial)
        return reject

    def settle(self) -> Reject | None:
        """Return what the client is told if the policy's rule over all verdicts blocks."""
        rule = self.rule.block
        if rule is None or self.rule.inspect_only or not self._found:
            return None
        asked = [n for n, tally in self._tallies.items() if tally.state != "skipped"]
        told = rule.test({name: name in self._found for name in asked})
        if isinstance(told, RuleFault):
            self.records.append(RuleError("safety block", told.kind))
            told = any(self._posts[n].guard.on_match is OnMatch.BLOCK for n in self._found)
        if not told:
            return None
        name = next(iter(self._found))
        self._tallies[name].action = OnMatch.BLOCK.value
        return self._blocked(self._posts[name], self._found[name])

    def refuse(self, post: Post, what: str) -> Reject:
        """Return what the client is told when a finding can be blocked only: *what* says why."""
        self._tallies[post.name].action = OnMatch.BLOCK.value
        said = self._found.get(post.name, Said())
        return self._blocked(post, said, what)

    def close(self) -> tuple[object, ...]:
        """Return the records of this direction: what was found, then the proof of each guard."""
        return (*self.records, *self._verdicts(), *self._proofs())

    def _find(self, post: Post, said: Said, action: OnMatch) -> Reject | None:
        tally = self._tallies[post.name]
        words = (hit.what[:WORD_CHARS_MAX] for hit in said.hits)
        for word in words:
            if len(tally.findings) < FINDINGS_MAX:
                tally.findings[word] = None
        self._found.setdefault(post.name, said)
        if action is OnMatch.BLOCK and self.rule.block is not None:
            tally.action = tally.action or OnMatch.LOG.value  # the rule over all verdicts decides
            return None
        tally.action = action.value
        return self._blocked(post, said) if action is OnMatch.BLOCK else None

    def _blocked(self, post: Post, said: Said, what: str = "") -> Reject:
        message = said.message or post.guard.message
        if what:
            message = f"{message}: {what}"
        return Reject(Reason.SAFETY_BLOCKED, message, post.guard.status, code=said.code)

    def _fail(
        self, post: Post, reason: str, on: OnTrouble, trouble: Trouble | None = None
    ) -> Reject | None:
        tally = self._tallies[post.name]
        tally.reason = reason
        if on is not OnTrouble.BLOCK or self.rule.inspect_only:
            tally.state = "failed-open"
            return None
        tally.state = "failed-closed"
        if reason == Kind.UNREADABLE.value:
            detail = trouble.detail if trouble else ""
            message = f"{post.guard.message}: {detail}" if detail else post.guard.message
            return Reject(Reason.SAFETY_BLOCKED, message, post.guard.status)
        message = f"guard `{post.name}` has no verdict on all of the text ({reason}), try again"
        after_s = trouble.retry_after_s if trouble else None
        return Reject(Reason.SAFETY_UNAVAILABLE, message, retry_after_s=after_s)

    def _verdicts(self) -> Iterable[Verdict]:
        for name in self._found:
            tally = self._tallies[name]
            yield Verdict(name, next(iter(tally.findings)), tally.action)

    def _proofs(self) -> Iterable[Guarded]:
        for name, tally in self._tallies.items():
            yield Guarded(
                name,
                self.direction.value,
                tally.state,
                tally.reason,
                tally.action,
                tuple(tally.findings),
                tally.inspected,
                self.delivered,
                tally.took_s,
                tally.hashed.hexdigest() if tally.inspected else "",
            )
