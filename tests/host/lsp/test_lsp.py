"""The language server as an editor meets it: a real session over standard input and output."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types

from headrace.dsl.format import format_source
from headrace.dsl.source import Source
from tests.host.lsp.editor import Editor, changes_of, edited, editing

CLEAN = """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model chat { priority 10  route gemma }
let load = endpoint.queue + endpoint.running
filter alive = endpoint.ready && endpoint.age < 2s
scorer free = 1.0 - endpoint.kv_cache
profile default {
  require alive
  score   2 * free
  pick    max  ties by load
}
"""
# The rocket takes two UTF-16 units.
ROCKET = """sched 1
model chat { route gemma }
pool gemma { endpoint "10.0.0.1:8000" { zone "🚀é" } }
filter near = endpoint.zone == "🚀é" && endpoint.redy
profile default { require near }
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with editing(tmp_path_factory.mktemp("lsp")) as editor:
        yield editor


@pytest.fixture
def editor(session: Editor, tmp_path: Path) -> Iterator[Editor]:
    session.folder = tmp_path
    session.versions.clear()
    yield session
    for name in list(session.versions):
        session.close(name)


def place(text: str, mark: str, after: int = 0) -> types.Position:
    """Return where *mark* is in *text*, and *after* characters on."""
    before = text[: text.index(mark) + after]
    return types.Position(before.count("\n"), len(before.rpartition("\n")[2]))


def document(editor: Editor, name: str = "a.sched") -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(editor.uri(name))


def completed(editor: Editor, text: str) -> dict[str, types.CompletionItem]:
    """Return what is offered at the end of *text*."""
    editor.open("a.sched", text)
    lines = text.split("\n")
    at = types.Position(len(lines) - 1, len(lines[-1]))
    params = types.CompletionParams(document(editor), at)
    found = editor.ask(editor.client.text_document_completion_async, params)
    assert isinstance(found, types.CompletionList)
    return {item.label: item for item in found.items}


def hovered(editor: Editor, text: str, mark: str, after: int = 1) -> str:
    params = types.HoverParams(document(editor), place(text, mark, after))
    found = editor.ask(editor.client.text_document_hover_async, params)
    assert found is not None, mark
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def test_a_clean_policy_has_no_findings_and_a_mistake_has(editor: Editor) -> None:
    assert list(editor.open("a.sched", CLEAN)) == []

    (found,) = editor.change("a.sched", CLEAN.replace("route gemma", "route gema"))

    assert found.code == "S209"
    assert found.source == "headrace"
    assert found.severity == types.DiagnosticSeverity.Error
    assert "unknown pool `gema`" in found.message
    assert "did you mean `gemma`?" in found.message


def test_an_edit_in_the_middle_is_followed(editor: Editor) -> None:
    editor.open("a.sched", CLEAN)
    at = place(CLEAN, "kv_cache")

    (found,) = editor.type("a.sched", at.line, at.character, "x")

    assert (found.code, found.range.start) == ("S201", at)


def test_a_second_definition_points_at_the_first_and_what_is_unused_is_grey(
    editor: Editor,
) -> None:
    twice = editor.open("a.sched", CLEAN + "pool gemma { endpoints '10.0.0.2:80' }\n")
    unused = editor.open("b.sched", CLEAN + "scorer idle = 50%\n")

    related = next(d for d in twice if d.code == "S207").related_information
    assert related is not None
    assert related[0].location.range.start == place(CLEAN, "gemma")
    assert next(d for d in unused if d.code == "S307").tags == (types.DiagnosticTag.Unnecessary,)


def test_columns_count_utf_16_units(editor: Editor) -> None:
    (found,) = editor.open("a.sched", ROCKET)

    line = ROCKET.split("\n")[3]
    assert (found.code, found.range.start.line) == ("S201", 3)
    assert found.range.start.character == line.index("redy") + 1
    assert found.range.end.character == line.index("redy") + 1 + len("redy")


def test_typing_behind_a_rocket_changes_the_right_place(editor: Editor) -> None:
    editor.open("a.sched", ROCKET)
    column = ROCKET.split("\n")[3].index("redy") + 1  # the rocket is two

    assert list(editor.type("a.sched", 3, column + 2, "a")) == []
    (found,) = editor.type("a.sched", 3, column + 5, " && 🚀")
    assert found.code == "S101"
    assert found.range.start.character == column + 9


@pytest.mark.parametrize(
    ("text", "offered", "not_offered"),
    [
        ("sched 1\n", {"pool", "model", "test"}, {"endpoints", "gemma"}),
        ("", {"sched"}, {"pool"}),
        ("sched 1\npool a { ", {"select", "endpoints", "port", "metrics"}, {"route", "pool"}),
        ("sched 1\npool a { metrics ", {"vllm"}, {"select"}),
        (CLEAN + "model x { route ", {"gemma"}, {"chat", "alive"}),
        (CLEAN + "model x { route 90% to ge", {"gemma"}, {"chat"}),
        (CLEAN + "profile x extends ", {"default"}, {"gemma"}),
        (CLEAN + "profile x { require ", {"alive", "also"}, {"free", "load"}),
        (CLEAN + "profile x { score 2 * ", {"free"}, {"alive"}),
        (CLEAN + "chain default { body_router ", {"picker", "safety"}, {"free"}),
        (CLEAN + "filter x = ", {"endpoint", "request", "pool", "load", "has"}, {"decision"}),
        (CLEAN + "filter x = endpoint.", {"queue", "kv_cache", "ready"}, {"model", "alive"}),
        (CLEAN + "filter x = endpoint.ready && pool.max.", {"queue"}, {"ready"}),
        (CLEAN + "filter x = request.model.", {"startsWith", "matches"}, {"queue", "all"}),
        (CLEAN + "filter x = math.", {"greatest", "abs"}, {"size"}),
        (CLEAN + "class x when ", {"request"}, {"endpoint", "decision"}),
        (CLEAN + "class x when endpoint.", set[str](), {"queue"}),
        (CLEAN + 'test "x" { expect decision.', {"pool", "shed"}, {"queue"}),
        (CLEAN + "filter x = endpoint.ready # end", set[str](), {"queue", "pool"}),
    ],
)
def test_what_fits_is_offered(
    editor: Editor, text: str, offered: set[str], not_offered: set[str]
) -> None:
    found = completed(editor, text)

    assert offered <= found.keys()
    assert not not_offered & found.keys()


def test_what_is_offered_says_its_type_and_what_it_means(editor: Editor) -> None:
    item = completed(editor, CLEAN + "filter x = endpoint.")["kv_cache"]

    assert item.detail == "double, ratio, per scrape"
    assert isinstance(item.documentation, types.MarkupContent)
    assert "KV cache" in item.documentation.value


@pytest.mark.parametrize(
    ("mark", "after", "said"),
    [
        ("endpoint.kv_cache", 12, ("double, ratio", "from 0% to 100%", "E: changes with")),
        ("load\n", 1, ("let load = endpoint.queue", "int, count", "reads `endpoint.queue`")),
        ("free\n", 1, ("scorer free =", "E: computed once", "reads `endpoint.kv_cache`")),
        ("alive\n", 1, ("filter alive =", "R: computed for each request")),
        ("gemma }\nlet", 1, ("pool gemma", "10.0.0.1:8000", "a.sched:2")),
        ("route", 1, ("route 90% to",)),
        ("endpoint.queue", 3, ("`endpoint` has:", "`endpoint.running`")),
    ],
)
def test_a_word_says_what_it_is(
    editor: Editor, mark: str, after: int, said: tuple[str, ...]
) -> None:
    editor.open("a.sched", CLEAN)

    text = hovered(editor, CLEAN, mark, after)

    assert [part for part in said if part not in text] == [], text


def test_a_name_leads_to_its_definition_and_its_uses(editor: Editor) -> None:
    editor.open("a.sched", CLEAN)
    at = place(CLEAN, "load\n")

    there = editor.ask(
        editor.client.text_document_definition_async,
        types.DefinitionParams(document(editor), at),
    )
    uses = editor.ask(
        editor.client.text_document_references_async,
        types.ReferenceParams(types.ReferenceContext(False), document(editor), at),
    )

    assert isinstance(there, list)
    assert [one.range.start for one in there if isinstance(one, types.Location)] == [
        place(CLEAN, "load =")
    ]
    assert uses is not None
    assert [use.range.start for use in uses] == [at]


def test_a_name_is_renamed_in_all_files_of_the_policy(editor: Editor) -> None:
    policy = CLEAN + "override pool gemma { metrics vllm }\n"
    tests = """sched 1
import "a.sched"
test "it goes there" {
  given pool gemma { endpoint a { "queue": 0 } }
  when request { "model": "chat" }
  expect decision.pool == "gemma"
}
"""
    editor.open("a.sched", policy)
    editor.open("a_test.sched", tests)
    (editor.folder / "other.sched").write_text(CLEAN)
    at = place(policy, "gemma }")

    edit = editor.ask(
        editor.client.text_document_rename_async,
        types.RenameParams(document(editor), at, "granite-2"),
    )

    changes = changes_of(edit)
    assert changes.keys() == {editor.uri("a.sched"), editor.uri("a_test.sched")}
    here = edited(policy, changes[editor.uri("a.sched")])
    there = edited(tests, changes[editor.uri("a_test.sched")])
    assert here == policy.replace("gemma", "granite-2")
    assert there == tests.replace("gemma", "granite-2")
    assert list(editor.change("a.sched", here)) == []


@pytest.mark.parametrize("name", ["alive", "not a name", "kv-free", 'a"b'])
def test_a_name_that_cannot_be_is_refused(editor: Editor, name: str) -> None:
    editor.open("a.sched", CLEAN)

    params = types.RenameParams(document(editor), place(CLEAN, "load\n"), name)

    with pytest.raises(Exception, match=r"is defined already|is not a name"):
        editor.ask(editor.client.text_document_rename_async, params)


def test_a_mistake_is_cured_by_one_key(editor: Editor) -> None:
    text = CLEAN.replace("route gemma", "route gema")
    (found,) = editor.open("a.sched", text)
    params = types.CodeActionParams(document(editor), found.range, types.CodeActionContext([found]))

    actions = editor.ask(editor.client.text_document_code_action_async, params)

    action = next(a for a in actions or () if isinstance(a, types.CodeAction))
    assert action.title == "replace `gema` with `gemma`"
    assert action.kind == types.CodeActionKind.QuickFix
    assert edited(text, changes_of(action.edit)[editor.uri("a.sched")]) == CLEAN


def test_all_safe_fixes_are_one_action(editor: Editor) -> None:
    text = CLEAN.replace("sched 1\n", "")
    (found, *_) = editor.open("a.sched", text)
    params = types.CodeActionParams(document(editor), found.range, types.CodeActionContext([found]))

    actions = editor.ask(editor.client.text_document_code_action_async, params)

    every = [a for a in actions or () if isinstance(a, types.CodeAction)]
    fix_all = next(a for a in every if a.kind == types.CodeActionKind.SourceFixAll)
    assert edited(text, changes_of(fix_all.edit)[editor.uri("a.sched")]) == CLEAN


def test_a_file_is_formatted_as_by_the_command_line(editor: Editor) -> None:
    ugly = CLEAN.replace(" = ", "=")
    editor.open("a.sched", ugly)
    options = types.FormattingOptions(2, True)
    params = types.DocumentFormattingParams(document(editor), options)

    edits = editor.ask(editor.client.text_document_formatting_async, params)

    assert edits is not None
    assert edited(ugly, edits) == format_source(Source("a.sched", ugly))
    editor.change("a.sched", "sched 1\npool {\n")
    assert editor.ask(editor.client.text_document_formatting_async, params) is None


def test_the_outline_has_every_block(editor: Editor) -> None:
    editor.open("a.sched", CLEAN)

    params = types.DocumentSymbolParams(document(editor))
    found = editor.ask(editor.client.text_document_document_symbol_async, params)

    assert [symbol.name for symbol in found or ()] == [
        "pool gemma", "model chat", "let load", "filter alive", "scorer free", "profile default",
    ]  # fmt: skip


def test_what_a_file_imports_is_taken_from_the_editor(editor: Editor) -> None:
    pools = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\n'
    (editor.folder / "pools.sched").write_text(pools.replace("gemma", "old"))
    editor.open("pools.sched", pools)

    found = editor.open("main.sched", 'sched 1\nimport "pools.sched"\nmodel m { route gemma }\n')

    assert list(found) == []


def test_the_files_of_a_folder_are_one_policy_if_one_has_no_model(editor: Editor) -> None:
    (editor.folder / "pools.sched").write_text("sched 1\npool p { endpoints '10.0.0.1:80' }\n")

    assert list(editor.open("models.sched", "sched 1\nmodel m { route p }\n")) == []


def test_what_is_no_policy_yet_does_not_end_the_server(editor: Editor) -> None:
    for text in ("", "}", "sched", "pool", "sched 1\nfilter a = (((", "\ud83d", "sched 1\n\x00"):
        editor.open("a.sched", text.encode("utf-8", "replace").decode())
        assert isinstance(completed(editor, text.encode("utf-8", "replace").decode()), dict)

    assert list(editor.change("a.sched", CLEAN)) == []
