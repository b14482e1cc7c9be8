"""Become another program that the kernel kills when our parent is gone. A script, no module.

Run as ``python -I -S tether.py PARENT PROGRAM ARGUMENTS...``. A program between, as code
that runs between fork and exec hangs in a parent with threads. Linux only, prctl(2).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # gone before the kernel was asked
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - becoming it is the point


if __name__ == "__main__":
    main()
