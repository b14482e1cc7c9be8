"""An editor: a real client of a real `headrace lsp` on its standard input and output."""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

WAIT_S = 10.0
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True)
class Editor:
    """One editing session. Written by the test that has it.

    told  uri -> every list of findings that the server sent, in order
    """

    client: LanguageClient
    runner: asyncio.Runner
    folder: Path
    told: dict[str, list[Sequence[types.Diagnostic]]] = field(
        default_factory=lambda: defaultdict[str, list[Sequence[types.Diagnostic]]](list)
    )
    versions: dict[str, int] = field(default_factory=dict[str, int])

    def uri(self, name: str) -> str:
        """Return the uri of the file *name*."""
        return uris.from_fs_path(str(self.folder / name)) or ""

    def open(self, name: str, text: str) -> Sequence[types.Diagnostic]:
        """Open a file with *text*, which is not on disk; return what the server tells."""
        item = types.TextDocumentItem(self.uri(name), "sched", 1, text)
        self.versions[name] = 1

        def send() -> None:
            self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

        return self._told_after(name, send)

    def change(self, name: str, text: str) -> Sequence[types.Diagnostic]:
        """Put *text* into an open file; return what the server tells."""
        whole = types.TextDocumentContentChangeWholeDocument(text)
        return self._changed(name, whole)

    def type(self, name: str, line: int, column: int, text: str) -> Sequence[types.Diagnostic]:
        """Type *text* at a place; return what the server tells."""
        at = types.Position(line, column)
        return self._changed(
            name, types.TextDocumentContentChangePartial(types.Range(at, at), text)
        )

    def timed(self, name: str, line: int, column: int, text: str) -> float:
        """Type *text* at a place; return the seconds until the server has told."""
        start = time.perf_counter()
        self.type(name, line, column, text)
        return time.perf_counter() - start

    def close(self, name: str) -> None:
        """Close a file."""
        identifier = types.TextDocumentIdentifier(self.uri(name))
        params = types.DidCloseTextDocumentParams(identifier)
        self._told_after(name, lambda: self.client.text_document_did_close(params))

    def ask(self, question: Callable[[Q], Awaitable[A]], params: Q) -> A:
        """Return what the server answers."""

        async def answer() -> A:
            return await asyncio.wait_for(question(params), WAIT_S)

        return self.runner.run(answer())

    def _changed(
        self, name: str, change: types.TextDocumentContentChangeEvent
    ) -> Sequence[types.Diagnostic]:
        self.versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name))
        params = types.DidChangeTextDocumentParams(document, [change])
        return self._told_after(name, lambda: self.client.text_document_did_change(params))

    def _told_after(self, name: str, send: Callable[[], None]) -> Sequence[types.Diagnostic]:
        told = self.told[self.uri(name)]
        before = len(told)

        async def wait() -> None:
            send()
            deadline = time.monotonic() + WAIT_S
            while len(told) == before:
                assert time.monotonic() < deadline, "the server told nothing"
                await asyncio.sleep(0.001)

        self.runner.run(wait())
        return told[-1]


@contextmanager
def editing(folder: Path) -> Generator[Editor, None, None]:
    """Yield an editor with a server of its own."""
    with asyncio.Runner() as runner:
        client = LanguageClient("test", "1")
        editor = Editor(client, runner, folder)

        # The client's decorator and `start_io` are typed loosely.
        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # pyright: ignore
        def told(params: types.PublishDiagnosticsParams) -> None:
            editor.told[params.uri].append(params.diagnostics)

        _ = told
        runner.run(_start(client, folder))
        try:
            yield editor
        finally:
            runner.run(_stop(client))


async def _start(client: LanguageClient, folder: Path) -> None:
    command = (sys.executable, "-m", "headrace.host.cli.main", "lsp")
    await client.start_io(*command)  # pyright: ignore[reportUnknownMemberType]
    await client.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), root_uri=uris.from_fs_path(str(folder))
        )
    )
    client.initialized(types.InitializedParams())


async def _stop(client: LanguageClient) -> None:
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


def edited(text: str, edits: Sequence[types.TextEdit]) -> str:
    """Return *text*, without characters beyond the basic plane, with *edits* applied."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines) + 1)]
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character))[::-1]:
        start = starts[edit.range.start.line] + edit.range.start.character
        end = starts[edit.range.end.line] + edit.range.end.character
        text = text[:start] + edit.new_text + text[end:]
    return text


def changes_of(edit: types.WorkspaceEdit | None) -> Mapping[str, Sequence[types.TextEdit]]:
    """Return the changes of *edit*, by uri."""
    assert edit is not None
    assert edit.changes is not None
    return edit.changes
