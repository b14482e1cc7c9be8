"""Sharing the interpreter: what compiles in a thread must not hold up the event loop."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

BRIEF_S = 0.0005  # Python's own turn of 5 ms is ten exchanges long


@contextmanager
def brief_turns() -> Generator[None]:
    """Let threads take short turns meanwhile, so that the event loop waits little for its own."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(BRIEF_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
