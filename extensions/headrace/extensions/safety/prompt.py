"""Screen the prompt of one request: guard by guard, or all at once, as the policy says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.guarding import OnMatch
from headrace.extensions.call import Call
from headrace.extensions.reasons import Reason
from headrace.extensions.safety.beside import side_by_side
from headrace.extensions.safety.contract import (
    Asked,
    Context,
    Direction,
    Judged,
    Judging,
    Kind,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.inquest import UNREADABLE_IDS, Inquest
from headrace.extensions.safety.judge import judge
from headrace.extensions.safety.mask import Vault, VaultFull
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.rewriting import Texts
from headrace.extensions.safety.scope import in_scope
from headrace.extensions.stage import Now, Reject
from headrace.extensions.texts.values import Passage

CHANGES = (OnMatch.REDACT, OnMatch.MASK)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be screened. *passages* in the order of the body."""

    call: Call
    passages: Sequence[Passage] = field(repr=False)
    context: Context
    now_s: float


async def screen(
    prompt: Prompt, posts: Sequence[Post], inquest: Inquest, vault: Vault | None
) -> Texts | Reject:
    """Return the texts as they go on, or why they do not. Awaits only what the guards ask for.

    In order, a guard sees what those before it have left; in parallel, all see the same.
    """
    texts = Texts(prompt.passages)
    groups = [posts] if inquest.rule.parallel else [(post,) for post in posts]
    for number, group in enumerate(groups, 1):
        asked = [(post, _in_scope(prompt, post)) for post in group]
        heard = await _heard(prompt, texts, asked)
        for (post, which), (judged, took_s) in zip(asked, heard, strict=True):
            if not isinstance(judged, Trouble):
                inquest.inspected(post, [texts.texts[at] for at in which], took_s)
        for (post, which), (judged, _) in zip(asked, heard, strict=True):
            reject = inquest.hear(post, judged) or _unread(prompt, post, inquest)
            if reject is None and isinstance(judged, Verdict):
                reject = _found(texts, which, post, judged, inquest)
            if reject is not None:
                inquest.ended_before(late for later in groups[number:] for late in later)
                return reject
        try:
            texts.take_out(vault)
        except VaultFull as full:
            return Reject(Reason.BODY_TOO_LARGE, str(full))
    return inquest.settle() or texts


def _in_scope(prompt: Prompt, post: Post) -> tuple[int, ...]:
    return in_scope(prompt.passages, post.guard.scope, prompt.call.api)


async def _heard(
    prompt: Prompt, texts: Texts, asked: Sequence[tuple[Post, tuple[int, ...]]]
) -> list[tuple[Judged, float]]:
    """Return what each guard says of its texts, and how long it took."""
    return await side_by_side([_hear(prompt, texts, post, which) for post, which in asked])


async def _hear(
    prompt: Prompt, texts: Texts, post: Post, which: tuple[int, ...]
) -> tuple[Judged, float]:
    meaning = texts.meaning(which, beside=post.local)
    said = meaning.said([prompt.passages[at].role for at in which])
    asked = Asked(Direction.PROMPT, said, prompt.context)
    if post.local:
        return meaning.placed(await judged(judge(post, asked, prompt.now_s))), 0.0
    started_s = await Now()
    verdict = meaning.placed(await judged(judge(post, asked, started_s)))
    return verdict, await Now() - started_s


async def judged(judging: Judging) -> Judged:
    """Return what *judging* comes to."""
    return judging if isinstance(judging, Verdict | Trouble) else await judging


def _unread(prompt: Prompt, post: Post, inquest: Inquest) -> Reject | None:
    """Note what of the prompt is no text, and return the Reject if the policy has none of it."""
    if prompt.call.token_ids:
        return inquest.hear(post, Trouble(Kind.UNREADABLE, UNREADABLE_IDS))
    if prompt.call.media:
        inquest.unread(post, "media")
    return None


def _found(
    texts: Texts, which: tuple[int, ...], post: Post, verdict: Verdict, inquest: Inquest
) -> Reject | None:
    action = inquest.action(post)
    if action not in CHANGES:
        return None
    why = texts.find(which, verdict, action)
    return inquest.refuse(post, why) if why else None
