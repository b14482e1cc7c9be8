"""What an editor offers and tells inside of guards, and where their names are followed to."""

import pytest

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.providers import DETECTORS, SCHEMAS
from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import read_source
from headrace.host.lsp.completion import choices
from headrace.host.lsp.describe import word
from headrace.host.lsp.mentions import mentions
from headrace.host.lsp.policy import Names

BASE = """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model chat, draft { route gemma }
guard armor { template "projects/acme/locations/eu/templates/t" for chat }
guard secrets { patterns "x" }
"""
TEST = 'test "t" { given guard armor finds "x" when request { "model": "chat" } }\n'


def names(text: str) -> Names:
    source = Source("a.sched", text)
    blocks = tuple(read_source(source, Problems()))
    return Names((source,), blocks, tuple(mentions(blocks)), {}, {})


def offered(end: str) -> set[str]:
    """Return what is offered at the end of a policy that goes on with *end*."""
    text = BASE + end
    return {choice.text for choice in choices(Source("a.sched", text), len(text), names(BASE))}


@pytest.mark.parametrize(
    ("end", "some", "none"),
    [
        ("guard x { ", {"detect", "deny", "ask", "window", "at", "break"}, {"card", "nemo"}),
        ("guard x { detect ", set(DETECTORS), {"nemo"}),
        ("guard x { detect card, ", set(DETECTORS), {"prompt"}),
        ("guard x { scope ", {"all", "new_turns", "last_turn"}, {"card"}),
        ("guard x { stream ", {"hold", "observe"}, {"all"}),
        ("guard x { window 400 ", {"characters", "sentences"}, {"hold"}),
        ("guard x { inspect ", {"prompt", "response"}, {"hold"}),
        ("guard x { ask ", set(SCHEMAS), {"card"}),
        ('guard x { ask presidio "http://p" { ', {"language", "score", "header"}, {"config"}),
        ('guard x { ask nemo "http://p" { config "c" ', {"config", "rails"}, {"language"}),
        ('guard x { ask nemo "http://p" { rails ', {"input", "output"}, {"config"}),
        ("guard x { ask lakera { breakdown ", {"true", "false"}, {"project"}),
        ('guard x { ask http "http://p" { match when ', {"answer"}, {"request", "matched"}),
        ('guard x { template "t" for ', {"chat", "draft"}, {"gemma", "armor"}),
        ('guard x { ask model_armor { template "t" for chat, ', {"draft"}, {"armor"}),
        ("safety { ", {"guards", "block", "inspect"}, {"detect"}),
        ("safety { block when ", {'matched("armor")', 'matched("secrets")'}, {"request"}),
        ('test "t" { given guard ', {"armor", "secrets"}, {"gemma", "chat"}),
        ('test "t" { given guard armor ', {"finds", "fails"}, {"armor"}),
        ('test "t" { given guard armor fails error in ', {"prompt", "response"}, {"armor"}),
        ('test "t" { given pool ', {"gemma"}, {"armor"}),
    ],
)
def test_what_fits_in_a_guard_is_offered(end: str, some: set[str], none: set[str]) -> None:
    found = offered(end)

    assert some <= found
    assert not none & found


def test_guards_and_models_are_found_where_they_are_used() -> None:
    text = f'{BASE}safety {{ block when matched("armor") || matched("secrets") }}\n{TEST}'
    found = names(text)

    used = [(m.kind, m.name) for m in found.mentions if not m.defines]
    assert used.count(("guard", "armor")) == 2
    assert used.count(("guard", "secrets")) == 1
    assert used.count(("model", "chat")) == 2  # of the template, and of the request


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("card", "payment cards"),
        ("presidio", "`entities` (string): what is looked for"),
        ("anonymizer", "(string): the URL"),
        ("window", "window 400 characters, overlap 100"),
    ],
)
def test_a_word_inside_a_guard_is_told(text: str, said: str) -> None:
    assert said in (word(text, "guard") or "")


def test_a_setting_of_a_provider_means_nothing_in_another_block() -> None:
    assert word("anonymizer", "pool") is None
