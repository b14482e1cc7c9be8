"""`headrace rollback`: let the policy before serve again, in a host that runs."""

import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from headrace.host.cli.admin_token import read_token
from headrace.host.cli.flags import Mistakes, fail, flag, reason

WAIT_S = 10.0
REFUSED = 1
ANSWER_BYTES_MAX = 1 << 20


class Reign(msgspec.Struct):
    """What the host answers: the policy that serves now."""

    digest: str
    generation: int


def rollback(
    to: Annotated[
        str,
        typer.Argument(
            metavar="DIGEST",
            help="The beginning of its digest; without it, the one before.",
        ),
    ] = "",
    metrics: Annotated[
        str,
        flag("--metrics", "Where the host's /policy is.", metavar="IP:PORT"),
    ] = "127.0.0.1:9090",
    admin_token_file: Annotated[
        Path | None, flag("--admin-token-file", "What the host was started with, if it was.")
    ] = None,
) -> None:
    """Go back to an earlier policy at once, without its file.

    The host keeps the last five policies compiled; `/policies` lists them. What lies in the
    policy's files is not looked at again until it changes: mend it there next.

        headrace rollback --metrics 127.0.0.1:9090
    """
    mistakes = Mistakes()
    address = mistakes.address("--metrics", metrics)
    token = read_token(admin_token_file, mistakes)
    mistakes.stop()
    request = urllib.request.Request(
        f"http://{address}/policy/rollback?to={quote(to)}", data=b"", method="POST"
    )
    if token:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as reply:  # noqa: S310 - as above
            now = msgspec.json.decode(reply.read(ANSWER_BYTES_MAX), type=Reign)
    except urllib.error.HTTPError as error:
        with error:
            told = error.read(1024).decode(errors="replace").strip()
        if told.startswith("<"):  # a page of somebody else's
            fail(f"`{address}` is no headrace: give `--metrics` what `serve` says", REFUSED)
        fail(f"`{address}` refused: {told}", REFUSED)
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", error)
        told = reason(why) if isinstance(why, OSError) else "it does not speak HTTP"
        fail(f"no answer from `{address}`: {told}; give `--metrics` what `serve` says", REFUSED)
    except msgspec.DecodeError:
        fail(f"`{address}` is no headrace: give `--metrics` what `serve` says", REFUSED)
    typer.echo(f"policy={now.digest[:12]} generation={now.generation}")
