"""Screen a whole answer: one that does not come as a stream of events."""

from collections.abc import Sequence

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.beside import side_by_side
from headrace.extensions.safety.contract import Asked, Context, Direction, Judged, Trouble, Verdict
from headrace.extensions.safety.inquest import Inquest
from headrace.extensions.safety.judge import judge
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.prompt import judged
from headrace.extensions.safety.rewriting import Texts
from headrace.extensions.stage import Now, Reject
from headrace.extensions.texts.values import Passage


async def screen_answer(
    passages: Sequence[Passage], context: Context, posts: Sequence[Post], inquest: Inquest
) -> Texts | Reject:
    """Return the texts as they go on, or why they do not. All guards judge what the model wrote."""
    texts = Texts(passages)
    heard = await side_by_side([_hear(post, texts, passages, context) for post in posts])
    for post, (verdict, took_s) in zip(posts, heard, strict=True):
        if not isinstance(verdict, Trouble):
            inquest.inspected(post, texts.texts, took_s)
    everything = range(len(passages))
    for post, (verdict, _) in zip(posts, heard, strict=True):
        reject = inquest.hear(post, verdict)
        redacts = inquest.action(post) is OnMatch.REDACT
        if reject is None and redacts and isinstance(verdict, Verdict):
            why = texts.find(everything, verdict, OnMatch.REDACT)
            reject = inquest.refuse(post, why) if why else None
        if reject is not None:
            return reject
    texts.take_out(None)
    return inquest.settle() or texts


async def _hear(
    post: Post, texts: Texts, passages: Sequence[Passage], context: Context
) -> tuple[Judged, float]:
    meaning = texts.meaning(range(len(passages)), beside=post.local)
    asked = Asked(Direction.RESPONSE, meaning.said([p.role for p in passages]), context)
    if post.local:
        return meaning.placed(await judged(judge(post, asked, 0.0))), 0.0
    started_s = await Now()
    verdict = meaning.placed(await judged(judge(post, asked, started_s)))
    return verdict, await Now() - started_s
