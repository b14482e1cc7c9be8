"""What the server answers, in the protocol's words."""

from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types
from pygls import uris

from headrace.dsl.format import format_source
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic, Fix
from headrace.dsl.problems.fixing import safe_fixes
from headrace.dsl.source import Source
from headrace.dsl.syntax import blocks
from headrace.host.lsp.completion import Choice
from headrace.host.lsp.mentions import Mention
from headrace.host.lsp.spots import Spots

NAME = "headrace"
_SEVERITY = {
    Level.ERROR: types.DiagnosticSeverity.Error,
    Level.WARNING: types.DiagnosticSeverity.Warning,
    Level.NOTE: types.DiagnosticSeverity.Information,
}
_UNNECESSARY = frozenset(("S115", "S301", "S307", "S332"))
_KINDS = {
    "keyword": types.CompletionItemKind.Keyword,
    "name": types.CompletionItemKind.Reference,
    "field": types.CompletionItemKind.Field,
    "function": types.CompletionItemKind.Function,
    "method": types.CompletionItemKind.Method,
    "value": types.CompletionItemKind.Value,
}
_SYMBOLS = {
    "pool": types.SymbolKind.Class,
    "model": types.SymbolKind.Interface,
    "profile": types.SymbolKind.Struct,
    "test": types.SymbolKind.Event,
    "filter": types.SymbolKind.Function,
    "scorer": types.SymbolKind.Function,
    "cost": types.SymbolKind.Function,
    "let": types.SymbolKind.Variable,
}


def uri_of(path: str) -> str:
    """Return *path* as the protocol names files."""
    return uris.from_fs_path(str(Path(path))) or path


def diagnostic(found: Diagnostic, spots: Spots) -> types.Diagnostic:
    """Return *found* for an editor: what is wrong, and below it the cure."""
    parts = [found.message, found.label, found.help and f"help: {found.help}"]
    related = [
        types.DiagnosticRelatedInformation(
            types.Location(uri_of(r.span.source.name), spots.range(r.span)), r.label
        )
        for r in found.related
    ]
    return types.Diagnostic(
        range=spots.range(found.span),
        message="\n".join(part for part in parts if part),
        severity=_SEVERITY[found.level],
        code=found.code,
        source=NAME,
        related_information=related or None,
        tags=[types.DiagnosticTag.Unnecessary] if found.code in _UNNECESSARY else None,
    )


def actions(
    found: Sequence[Diagnostic], source: Source, range_: types.Range, spots: Spots
) -> list[types.CodeAction]:
    """Return the cures of what was *found* within *range_*, and one of all that is safe."""
    start, end = spots.offset(source, range_.start), spots.offset(source, range_.end)
    made: list[types.CodeAction] = []
    for one in found:
        fix = one.fix
        touches = fix and one.span.start <= end and start <= one.span.end
        if fix is not None and touches and fix.span.source == source:
            made.append(_action(one, fix, source, spots))
    safe = safe_fixes(found, source)
    if safe:
        kind = types.CodeActionKind.SourceFixAll
        edit = _edit(source, [_text_edit(fix, spots) for fix in safe])
        made.append(types.CodeAction("apply all safe fixes", kind=kind, edit=edit))
    return made


def _action(one: Diagnostic, fix: Fix, source: Source, spots: Spots) -> types.CodeAction:
    return types.CodeAction(
        title=fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(one, spots)],
        is_preferred=fix.safe,
        edit=_edit(source, [_text_edit(fix, spots)]),
    )


def _text_edit(fix: Fix, spots: Spots) -> types.TextEdit:
    return types.TextEdit(spots.range(fix.span), fix.replacement)


def _edit(source: Source, edits: list[types.TextEdit]) -> types.WorkspaceEdit:
    return types.WorkspaceEdit(changes={uri_of(source.name): edits})


def completion(choice: Choice) -> types.CompletionItem:
    """Return *choice* for an editor."""
    doc = types.MarkupContent(types.MarkupKind.Markdown, choice.doc) if choice.doc else None
    return types.CompletionItem(
        label=choice.text,
        kind=_KINDS[choice.kind],
        detail=choice.detail or None,
        documentation=doc,
        insert_text=choice.text,
    )


def location(mention: Mention, spots: Spots) -> types.Location:
    """Return where *mention* is."""
    return types.Location(uri_of(mention.span.source.name), spots.range(mention.span))


def renamed(same: Sequence[Mention], name: str, spots: Spots) -> types.WorkspaceEdit:
    """Return the edit that gives all of *same* the name *name*, quoted where it has to be."""
    changes: dict[str, Sequence[types.TextEdit]] = {}
    for mention in same:
        edits = [*changes.get(uri_of(mention.span.source.name), ())]
        edits.append(types.TextEdit(spots.range(mention.span), name))
        changes[uri_of(mention.span.source.name)] = edits
    return types.WorkspaceEdit(changes=changes)


def symbols(source: Source, spots: Spots) -> list[types.DocumentSymbol]:
    """Return the blocks of *source*."""
    found: list[types.DocumentSymbol] = []
    for block in blocks.split(source):
        if not block.known:
            continue
        words = [t.group() for t in blocks.tokens(block.span.text, 0) if t.group() != "\n"]
        keyword = words[1] if block.keyword == "override" and len(words) > 1 else block.keyword
        head = block.extent.text.partition("\n")[0].partition("{")[0].partition("=")[0].strip()
        range_ = spots.range(block.extent)
        first = spots.range(block.span.inner(0, len(head)))
        kind = _SYMBOLS.get(keyword, types.SymbolKind.Object)
        found.append(types.DocumentSymbol(head, kind, range_, first))
    return found


def formatted(source: Source, spots: Spots) -> list[types.TextEdit] | None:
    """Return the edit that formats *source*; None if there is a mistake of syntax in it."""
    made = format_source(source)
    if not isinstance(made, str):
        return None
    return [types.TextEdit(spots.whole(source), made)] if made != source.text else []
