"""The language server over standard input and output. Who speaks the protocol is pygls."""

import re
from dataclasses import dataclass, field
from importlib.metadata import version

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from headrace.dsl import library
from headrace.dsl.source import Source
from headrace.dsl.syntax import blocks
from headrace.host.cli.policies import installed_stages
from headrace.host.lsp import answers, describe
from headrace.host.lsp.completion import choices
from headrace.host.lsp.files import Files
from headrace.host.lsp.mentions import RULE, Mention
from headrace.host.lsp.policy import Names, findings, names
from headrace.host.lsp.spots import Spots

_PATH = re.compile(r"[A-Za-z_][\w.]*")
_BARE = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_]|[-.][A-Za-z0-9_])*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRIGGERS = [".", " "]


@dataclass(slots=True)
class Desk:
    """What the server knows of the open files. Written by the server's thread only."""

    server: LanguageServer
    stages: frozenset[str]
    files: Files = field(default_factory=Files)

    def spots(self) -> Spots:
        """Return places as this editor counts them."""
        return Spots(self.server.workspace.position_codec.client_num_units)

    def source(self, uri: str) -> Source:
        """Return the open file *uri*."""
        path = path_of(uri)
        return Source(path, self.files.open.get(path, ""))

    def take(self, uri: str) -> None:
        """Take the text of *uri* from the editor, and tell what is wrong in it."""
        self.files.open[path_of(uri)] = self.server.workspace.get_text_document(uri).source
        self.tell(uri)

    def tell(self, uri: str) -> None:
        """Tell the editor what is wrong in the file *uri*."""
        spots = self.spots()
        found = findings(self.files, path_of(uri), self.stages)
        told = [answers.diagnostic(one, spots) for one in found]
        document = self.server.workspace.get_text_document(uri)
        self.server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, told, version=document.version)
        )

    def tell_all(self) -> None:
        """Tell what is wrong in every open file: another one has changed."""
        for path in list(self.files.open):
            self.tell(answers.uri_of(path))

    def named(
        self, document: types.TextDocumentIdentifier, at: types.Position
    ) -> tuple[Mention | None, Names]:
        """Return the name at a place, and all names beside it."""
        source = self.source(document.uri)
        found = names(self.files, source.name)
        return found.at(source.name, self.spots().offset(source, at)), found


def path_of(uri: str) -> str:
    """Return the path of *uri*, or itself if it is no file."""
    return uris.to_fs_path(uri) or uri


def serve_stdio() -> None:
    """Answer one editor on standard input and output until it is done."""
    build_server().start_io()


def build_server() -> LanguageServer:
    """Return the server with all that it answers."""
    server = LanguageServer(answers.NAME, version("headrace"), max_workers=1)
    desk = Desk(server, installed_stages())
    _documents(server, desk)
    _questions(server, desk)
    _names(server, desk)
    return server


def _documents(server: LanguageServer, desk: Desk) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        desk.take(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        desk.take(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        desk.tell_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        desk.files.open.pop(path_of(uri), None)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    # The decorator registers each.
    _ = opened, changed, saved, closed


def _questions(server: LanguageServer, desk: Desk) -> None:
    options = types.CompletionOptions(trigger_characters=_TRIGGERS)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    def complete(params: types.CompletionParams) -> types.CompletionList:
        source = desk.source(params.text_document.uri)
        offset = desk.spots().offset(source, params.position)
        found = choices(source, offset, names(desk.files, source.name))
        return types.CompletionList(False, [answers.completion(c) for c in found])

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        source, spots = desk.source(params.text_document.uri), desk.spots()
        offset = spots.offset(source, params.position)
        mention, found = desk.named(params.text_document, params.position)
        text = describe.name(mention, found) if mention else _meaning(source, offset)
        if text is None:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text))

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        return answers.symbols(desk.source(params.text_document.uri), desk.spots())

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def format_(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        return answers.formatted(desk.source(params.text_document.uri), desk.spots())

    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))
    def act(params: types.CodeActionParams) -> list[types.CodeAction]:
        source = desk.source(params.text_document.uri)
        found = findings(desk.files, source.name, desk.stages)
        return answers.actions(found, source, params.range, desk.spots())

    _ = complete, hover, symbols, format_, act


def _names(server: LanguageServer, desk: Desk) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def define(params: types.DefinitionParams) -> list[types.Location]:
        mention, found = desk.named(params.text_document, params.position)
        known = found.definitions(mention) if mention else []
        return [answers.location(one, desk.spots()) for one in _own(known)]

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def refer(params: types.ReferenceParams) -> list[types.Location]:
        mention, found = desk.named(params.text_document, params.position)
        same = _own(found.same(mention)) if mention else []
        every = params.context.include_declaration
        return [answers.location(one, desk.spots()) for one in same if every or not one.defines]

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepare(params: types.PrepareRenameParams) -> types.Range | None:
        mention, _ = desk.named(params.text_document, params.position)
        return desk.spots().range(mention.span) if mention else None

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        mention, found = desk.named(params.text_document, params.position)
        if mention is None:
            return None
        same = found.same(mention)
        _refuse(mention, same, params.new_name, found)
        return answers.renamed(same, params.new_name, desk.spots())

    _ = define, refer, prepare, rename


def _own(found: list[Mention]) -> list[Mention]:
    """Return those of *found* that stand in a file of the policy, and not in the library."""
    return [mention for mention in found if not library.is_of(mention.span)]


def _refuse(mention: Mention, same: list[Mention], name: str, found: Names) -> None:
    """Refuse a new name that cannot stand in every place, or that is taken.

    Raises:
        JsonRpcInvalidParams: with what the editor then shows.
    """
    if len(_own(same)) < len(same):
        raise JsonRpcInvalidParams(f"`{mention.name}` is of the library: it keeps its name")
    if any(m.kind == mention.kind and m.name == name for m in found.mentions if m.defines):
        raise JsonRpcInvalidParams(f"`{name}` is defined already")
    if re.search(r"""[\s"'\\]""", name) or not name:
        raise JsonRpcInvalidParams(f"`{name}` is not a name: no spaces and no quotes")
    form = _IDENTIFIER if mention.kind in (RULE, "class", "guard", "stage") else _BARE
    if not form.fullmatch(name) and not all(one.quoted for one in same):
        raise JsonRpcInvalidParams(f"`{name}` is not a name for this: letters, digits and `_`")


def _meaning(source: Source, offset: int) -> str | None:
    """Return what the word at *offset* means that is not a name of the policy."""
    line_start = source.text.rfind("\n", 0, offset) + 1
    line = source.text[line_start:].partition("\n")[0]
    column = offset - line_start
    for found in _PATH.finditer(line):
        if found.start() <= column <= found.end():
            end = line.find(".", max(column, found.start()), found.end())
            path = line[found.start() : end if end > column else found.end()]
            keyword = _keyword(source, offset)
            last = path.rpartition(".")[2]
            return (
                describe.vocabulary(path)
                or describe.word(path, keyword)
                or (describe.word(last, keyword) if last != path else None)
            )
    return None


def _keyword(source: Source, offset: int) -> str:
    found = [b for b in blocks.split(source) if b.span.start <= offset <= b.span.end]
    return found[-1].keyword if found else ""
