"""All that the exchanges of one policy share of its guards. Built once per policy."""

from dataclasses import dataclass, field

from headrace.dsl.guarding import NO_SAFETY_RULE, OnMatch, SafetyRule, Scope
from headrace.extensions.safety.contract import Direction
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.reads import Reads

# A pattern takes some nanoseconds a character, and nothing else runs meanwhile: some 10 ms.
TEXT_CHARS_MAX = 4 << 20
HELD_BYTES_MAX = 4 << 20  # of the events of a stream that wait to be judged
SLACK_S = 0.5  # what a hook may take beside its guards
CHANGES = frozenset((OnMatch.REDACT, OnMatch.MASK))


@dataclass(frozen=True, slots=True)
class Desk:
    """The guards of a policy at their posts, and how texts are read for them.

    posts  in the order of the policy
    """

    posts: tuple[Post, ...]
    reads: Reads
    rule: SafetyRule = NO_SAFETY_RULE
    text_chars_max: int = TEXT_CHARS_MAX
    held_bytes_max: int = HELD_BYTES_MAX
    prompts: tuple[Post, ...] = field(init=False)
    answers: tuple[Post, ...] = field(init=False)

    def __post_init__(self) -> None:
        for name, way in (("prompts", Direction.PROMPT), ("answers", Direction.RESPONSE)):
            object.__setattr__(self, name, tuple(p for p in self.posts if p.looks_at(way)))

    @property
    def masked(self) -> bool:
        """Whether a guard may put placeholders into prompts, for which answers get originals."""
        masking = any(post.guard.on_match is OnMatch.MASK for post in self.prompts)
        return masking and not self.rule.inspect_only

    @property
    def changes_answers(self) -> bool:
        """Whether a guard may keep text of an answer from the client."""
        acting = [post for post in self.answers if post.guard.on_match is not OnMatch.LOG]
        return bool(acting) and not self.rule.inspect_only

    @property
    def reads_answers(self) -> bool:
        """Whether responses must be seen before they go on."""
        return bool(self.answers) or self.masked

    @property
    def by_place(self) -> bool:
        """Whether it must be known where in a prompt each text stands."""
        return any(
            post.guard.scope is not Scope.ALL or post.guard.on_match in CHANGES
            for post in self.prompts
        )

    @property
    def deadline_s(self) -> float:
        """How long a hook may take: all guards in turn, or side by side, and a little more."""
        times = [post.timeout_s for post in self.posts if not post.local]
        if self.rule.parallel:
            return max(times, default=0.5) + SLACK_S
        return (sum(times) if times else 0.5) + SLACK_S
