"""`headrace explain`: why did this request go there?"""

from collections.abc import Iterator, Sequence
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import msgspec
import typer

from headrace.host.cli.flags import Mistakes, fail, flag, reason
from headrace.host.cli.policies import read_sources

if TYPE_CHECKING:
    from headrace.host.explain.story import Story

FINDINGS = 1
RECORDS = (".json", ".jsonl", ".log")
LINE_BYTES_MAX = 1 << 20
HOST_S = 5.0


class Format(Enum):
    """How the explanation is printed."""

    HUMAN = "human"
    JSON = "json"


def explain(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="POLICY|LOG|ID",
            help="A policy's files, or one decision log (`.jsonl`) of `serve --decision-log`; "
            "with `--from`, the request's id, or its beginning.",
        ),
    ],
    state: Annotated[
        Path | None, flag("--state", "JSON or YAML: the pools' endpoints.", metavar="FILE")
    ] = None,
    request: Annotated[
        Path | None, flag("--request", "JSON or YAML: the fields of `request.*`.", metavar="FILE")
    ] = None,
    test: Annotated[
        str, flag("--test", "State and request of the test with this in its name.")
    ] = "",
    id: Annotated[
        str, flag("--id", "Of a log: the request's id, or its beginning; else the last one.")
    ] = "",
    host: Annotated[
        str,
        flag("--from", "The host that has decided: where its `/decisions` are.", metavar="URL"),
    ] = "",
    token_file: Annotated[
        Path | None,
        flag("--token-file", "What that host asks of its readers, if it does.", metavar="FILE"),
    ] = None,
    format: Annotated[Format, flag("--format", "For people or for machines.")] = Format.HUMAN,
) -> None:
    """Show how a request was decided: conditions, filters and scores, with every value.

    Either of a policy and a state that you give, or of a decision that `serve` has recorded
    or still remembers, which needs no policy. Exits 0, 1 if there is no such decision, 2 if
    the command line is wrong.

        headrace explain policies/quickstart.sched --request request.json
        headrace explain --from http://127.0.0.1:9090 7f3b
    """
    mistakes = Mistakes()
    story = None
    if host:
        if state or request or test or id or len(paths) != 1:
            mistakes.add("--from: give the request's id beside it, and nothing else")
        story = None if mistakes.texts else _remembered(host, paths[0], token_file, mistakes)
    elif token_file is not None:
        mistakes.add("--token-file: it has no effect without --from")
    elif len(paths) == 1 and Path(paths[0]).suffix in RECORDS:
        if state or request or test:
            mistakes.add("--state, --request, --test: a record has its own; leave them out")
        story = _recorded(Path(paths[0]), id, mistakes)
    else:
        story = _decided(paths, state, request, test, mistakes)
    mistakes.stop()
    assert story is not None, "without a story there is a mistake"
    _show(story, format)


def _show(story: "Story", format: Format) -> None:
    from headrace.host.explain.page import page

    if format is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(story), indent=2).decode())
    else:
        typer.echo(page(story), nl=False)


def _remembered(
    host: str, request_id: str, token_file: Path | None, mistakes: Mistakes
) -> "Story | None":
    """Return what *host* remembers of a request; exit 1 if it remembers none."""
    from headrace.host.explain.story import Story

    url = f"{host.rstrip('/')}/decisions/{quote(request_id, safe='')}"
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("write e.g. `http://127.0.0.1:9090`")
        asked = Request(url)  # noqa: S310 - the scheme was looked at
        if token_file is not None:
            asked.add_header("authorization", f"Bearer {token_file.read_text().strip()}")
        with urlopen(asked, timeout=HOST_S) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(LINE_BYTES_MAX), type=Story)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.NOT_FOUND:
            fail(f"`{host}` remembers no request whose id begins with `{request_id}`", FINDINGS)
        if error.code == HTTPStatus.UNAUTHORIZED:
            mistakes.add(f"--from: `{host}` asks for a token: give its file by `--token-file`")
        else:
            mistakes.add(
                f"--from: `{host}` answers {error.code}: is it a host's `--metrics-listen`?"
            )
    except (OSError, ValueError) as error:  # what msgspec raises is a ValueError
        why = reason(error) if isinstance(error, OSError) else str(error)
        mistakes.add(f"--from: cannot read `{host}`: {why}")
    return None


def _decided(
    paths: Sequence[str], state: Path | None, request: Path | None, test: str, mistakes: Mistakes
) -> "Story | None":
    from headrace.host.cli.scene import given_scene, tested_scene
    from headrace.host.policytest.words import story

    sources = read_sources(paths, mistakes)
    if test and (state or request):
        mistakes.add("--test: the test gives state and request; leave those out")
    if mistakes.texts:
        return None
    if test:
        scene = tested_scene(sources, test, mistakes)
    else:
        scene = given_scene(sources, state, request, mistakes)
    ran = scene.run(mistakes) if scene else None
    return story(ran) if ran else None


def _recorded(path: Path, wanted: str, mistakes: Mistakes) -> "Story | None":
    """Return the last record of *path* whose id begins with *wanted*; exit 1 if there is none."""
    from headrace.host.explain.story import VERSION, Story

    found: Story | None = None
    unreadable = 0
    try:
        for line in _lines(path):
            try:
                story = msgspec.json.decode(line, type=Story)
            except (msgspec.DecodeError, UnicodeDecodeError):
                unreadable += 1
                continue
            if story.version == VERSION and story.id.startswith(wanted):
                found = story
    except OSError as error:
        mistakes.add(f"cannot read `{path}`: {reason(error)}")
        return None
    if found is None:
        what = f"no decision whose id begins with `{wanted}`" if wanted else "no decision"
        more = f" ({unreadable} unreadable lines)" if unreadable else ""
        fail(f"`{path}` has {what}{more}", FINDINGS)
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the objects of a log, one a line, or the one that the whole file is."""
    with path.open("rb") as file:
        if path.suffix == ".json":
            yield file.read(LINE_BYTES_MAX)
            return
        while line := file.readline(LINE_BYTES_MAX):
            if line.strip():
                yield line
