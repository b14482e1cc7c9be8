"""One worker of `headrace serve --workers`: does what the line on its standard input says.

Run as ``python -m headrace.host.cli.worker`` by the process that looks after workers.
"""

import gc
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import typer

from headrace.host.bus.local import Seat
from headrace.host.cli.main import GC_THRESHOLDS
from headrace.host.cli.serve import serve_with
from headrace.host.cli.serve_flags import ServeFlags
from headrace.host.extproc.listen import UnixAddress
from headrace.host.serve.options import ServeOptions
from headrace.host.workers.order import Order, decoded

STDIN = 0
PIECE_BYTES = 1 << 16


def main() -> None:
    """Serve as ordered, until told to end or the keeper is gone."""
    gc.set_threshold(*GC_THRESHOLDS)
    order = decoded(_line())
    threading.Thread(target=_follow_keeper, name="keeper", daemon=True).start()
    given = msgspec.convert(order.flags, ServeFlags, dec_hook=lambda kind, value: kind(value))
    try:
        serve_with(replace(given, listen=order.listen, workers=1), lambda o: as_worker(o, order))
    except typer.Exit as told:
        sys.exit(told.exit_code)


def as_worker(options: ServeOptions, order: Order) -> ServeOptions:
    """Return *options* for the worker of *order*.

    Who may read and change something is decided where operators ask, before they are asked.
    """
    log = options.decision_log
    return replace(
        options,
        metrics_listen=UnixAddress(str(order.operator_socket)),
        admin_token="",
        readers=None,
        session_key=bytes.fromhex(order.session_key),
        decision_log=log and log.with_name(f"{log.stem}.{order.index}{log.suffix}"),
        worker=order.index,
        state=replace(options.state, seat=Seat(Path(order.folder), order.index, order.count)),
    )


def _line() -> bytes:
    """Return the first line of standard input: raw, as a thread will go on to read there."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(STDIN, PIECE_BYTES)
        if not piece:
            break
        line += piece
    return line


def _follow_keeper() -> None:
    """Drain when the keeper's end of the pipe closes: nobody else would ever end us."""
    while os.read(STDIN, PIECE_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
