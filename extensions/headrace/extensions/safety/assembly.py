"""Put together what the guards of a policy need: providers, keys, readers of texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.dsl.program import Guard, Program
from headrace.extensions.call import Api
from headrace.extensions.registry import Site
from headrace.extensions.safety.contract import Asked, Hit, Reach, Verdict
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.memory import key_from
from headrace.extensions.safety.post import post
from headrace.extensions.safety.reads import Reads
from headrace.extensions.safety.screen import Patterns, patterns
from headrace.extensions.texts.values import Passage, Path, Piece, Unreadable

REACH = Reach(local=True)


@dataclass(frozen=True, slots=True)
class Searching:
    """Patterns as a provider. It says which was found, not where."""

    patterns: Patterns
    name: str = "patterns"
    reach: Reach = REACH

    def screen(self, asked: Asked) -> Verdict:
        """Return which pattern each of the texts has first."""
        hits: list[Hit] = []
        for at, text in enumerate(asked.texts):
            data = text.text.encode("utf-8", "replace")
            if self.patterns.any_of.search(data) is not None:
                each = self.patterns.each
                number = next(i for i, one in enumerate(each) if one.search(data) is not None)
                hits.append(Hit(f"pattern {number}", at))
        return Verdict(tuple(hits))


def desk(program: Program, site: Site) -> Desk:
    """Return the guards of *program* at their posts. A guard without patterns finds nothing."""
    key = key_from(site.session_key)
    guards = [guard for guard in program.guards if guard.patterns]
    posts = tuple(post(guard, _provider(guard), key=key) for guard in guards)
    return Desk(posts, Reads(_request, _answer, _pieces, _patched))


def _provider(guard: Guard) -> Searching:
    return Searching(patterns(guard.patterns))


def _request(api: Api, body: bytes) -> tuple[Passage, ...]:
    raise Unreadable("the places of its texts are not known")


def _answer(api: Api, body: bytes) -> tuple[Passage, ...]:
    raise Unreadable("the places of its texts are not known")


def _pieces(api: Api, data: bytes) -> tuple[Piece, ...]:
    raise Unreadable("the places of its texts are not known")


def _patched(body: bytes, texts: Mapping[Path, str]) -> bytes:
    raise Unreadable("the places of its texts are not known")
