"""The short way of a prompt that nothing is wrong with, past guards that judge at once.

It comes to what the long way would: that one is taken as soon as anything is found.
"""

from hashlib import blake2b
from operator import attrgetter

from headrace.dsl.guarding import OnMatch, Scope
from headrace.extensions.call import Call, Text
from headrace.extensions.records import Guarded
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.escapes import unescaped
from headrace.extensions.safety.memory import DIGEST_BYTES
from headrace.extensions.safety.post import Post
from headrace.extensions.stage import CONTINUE, Action, Continue

TEXT_OF = attrgetter("text")
LONGEST = 1 << 16  # characters; a longer prompt may have to be cut for a provider


def is_express(desk: Desk) -> bool:
    """Return whether the guards of prompts at *desk* can be passed the short way."""
    return all(_is_quick(post) for post in desk.prompts)


def _is_quick(post: Post) -> bool:
    guard, reach = post.guard, post.provider.reach
    whole = guard.scope is Scope.ALL and guard.when is None
    changes = guard.on_match in (OnMatch.REDACT, OnMatch.MASK)
    quick = post.finds is not None and reach.chars_max >= LONGEST
    return quick and whole and not changes


def may_mean_more(text: Text) -> bool:
    """Return whether *text* may be source of JSON with escapes: the arguments of a tool's call."""
    return text.role == "tool" and "\\" in text.text


def pass_by(desk: Desk, call: Call) -> Action | None:
    """Return what follows if no guard at *desk* finds anything in *call*; None: ask them all."""
    if call.token_ids or call.media:
        return None
    texts = list(map(TEXT_OF, call.texts))
    if sum(map(len, texts)) > min(LONGEST, desk.text_chars_max):
        return None
    posts = desk.prompts
    if not posts:
        return CONTINUE
    looked_at = texts
    for text in call.texts:
        if text.role == "tool" and "\\" in text.text:  # may_mean_more, without a call
            looked_at = [*looked_at, unescaped(text.text).text]
    for post in posts:
        assert post.finds is not None, "who is quick looks by itself"
        for text in looked_at:
            if post.finds(text):
                return None
    hashed, size = blake2b(key=posts[0].key, digest_size=DIGEST_BYTES), 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(data)
        size += len(data)
    text_hash = hashed.hexdigest() if size else ""
    state, reason = ("applied", "") if texts else ("skipped", "no-text")
    records: list[object] = []
    for post in posts:
        records.append(
            Guarded(
                post.guard.name,
                "prompt",
                state,
                reason,
                inspected_bytes=size,
                delivered_bytes=size,
                text_hash=text_hash,
            )
        )
    return Continue(records=tuple(records))
