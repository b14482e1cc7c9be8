"""The files of a policy on disk: which they are, and what they hold at one moment."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".sched"
TESTS_SUFFIX = "_test.sched"
STDIN = "-"
FILES_MAX = 256
FILE_BYTES_MAX = 4 << 20  # a policy is written by hand; what is larger is another file


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment: file -> the SHA-256 of its bytes, or why it cannot be read."""

    found: Mapping[str, str]


def files_of(path: str, *, tests: bool = False) -> list[str]:
    """Return the policy files that *path* means: itself, or of a directory those in it, by name.

    Hidden files are not part of a directory's policy, and tests (`*_test.sched`) only with
    *tests*. One more than FILES_MAX are returned of a directory that has too many.

    Raises:
        OSError: the directory cannot be read.
    """
    if path == STDIN or not Path(path).is_dir():
        return [path]
    names = sorted(entry.name for entry in Path(path).iterdir())
    return [
        str(Path(path) / name)
        for name in names
        if name.endswith(SUFFIX)
        and (tests or not name.endswith(TESTS_SUFFIX))
        and not name.startswith(".")
    ][: FILES_MAX + 1]


def look(paths: Sequence[str], beside: Iterable[str] = ()) -> Look:
    """Return what lies at *paths*, directories opened, and in the files *beside* them now.

    Contents are read, not times: a file system may keep the time of an edit, or round it.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            files = files_of(path)
        except OSError as error:
            found[path] = why(error)
            continue
        found |= {file: _digest(file) for file in files}
    found |= {file: _digest(file) for file in beside if file not in found}
    return Look(found)


def digest_of(text: str) -> str:
    """Return what a `Look` says of a file that holds *text*."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def why(error: OSError) -> str:
    """Return why *error* happened, in words."""
    return (error.strerror or type(error).__name__).lower()


def _digest(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            return hashlib.sha256(opened.read(FILE_BYTES_MAX + 1)).hexdigest()
    except OSError as error:
        return why(error)
    except ValueError:  # a NUL in the path
        return "not a path"
