"""Which files make the policy that a file belongs to, with what editors have open in them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace.dsl.source import Source
from headrace.host.cli.imports import Imports
from headrace.host.serve.files import FILE_BYTES_MAX, FILES_MAX, SUFFIX, TESTS_SUFFIX

_IMPORTED = re.compile(r"""^[ \t]*import\s+["']([^"'\n]*)["']""", re.MULTILINE)
_MODEL = re.compile(r"^[ \t]*model[ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Look:
    """What a file says about its part in a policy."""

    imports: tuple[str, ...]
    has_model: bool


@dataclass(slots=True)
class Files:
    """The files on disk under those that are open. Written by the server's thread only.

    open  path -> the text that the editor has
    """

    open: dict[str, str] = field(default_factory=dict[str, str])

    def source(self, path: str) -> Source | None:
        """Return the file at *path*; None if it cannot be read."""
        if path in self.open:
            return Source(path, self.open[path])
        try:
            with Path(path).open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
            return Source(path, raw.decode()) if len(raw) <= FILE_BYTES_MAX else None
        except (OSError, ValueError):
            return None

    def roots(self, path: str) -> list[Source]:
        """Return the files to check for what is wrong in *path*; imports bring the others.

        It is the file alone if it has a model; if not, the file that imports it, or where
        no file stands for itself, all of its folder.
        """
        sources, looks = self._folder(path)
        own = looks.get(path)
        if own is None or own.has_model or path.endswith(TESTS_SUFFIX):
            chosen = [path]
        else:
            importers = _importers(path, looks)
            named = [p for p in importers if not p.endswith(TESTS_SUFFIX)]
            chosen = named[:1] or ([path] if importers else [])
        if _is_one(looks) and not path.endswith(TESTS_SUFFIX):
            chosen = [p for p in sorted(looks) if not p.endswith(TESTS_SUFFIX)]
        return [sources[p] for p in chosen or [path] if p in sources]

    def related(self, path: str) -> list[Source]:
        """Return all files of the policies that *path* is in, tests too: where its names are."""
        sources, looks = self._folder(path)
        if _is_one(looks):
            return [sources[p] for p in sorted(sources)]
        found, left = {path}, [path]
        while left:
            at = left.pop()
            for other in looks:
                linked = other in _targets(at, looks) or at in _targets(other, looks)
                if linked and other not in found:
                    found.add(other)
                    left.append(other)
        return [sources[p] for p in sorted(found) if p in sources]

    def imports(self, roots: list[Source]) -> Imports:
        """Return what brings the imports of *roots*, from the editor where it has them open."""
        imports = Imports.of(roots)
        for path, text in self.open.items():
            for root in roots:
                folder = imports.roots[root.name]
                real = os.path.realpath(path)
                if Path(real).is_relative_to(folder) and real not in imports.known:
                    imports.known[real] = Source(path, text)
                    imports.roots[path] = folder
        return imports

    def _folder(self, path: str) -> tuple[dict[str, Source], dict[str, Look]]:
        """Return the policy files beside *path* and below, and what they say of themselves."""
        folder = Path(path).parent
        found = {path}
        try:
            beside = sorted(str(p) for p in folder.iterdir() if _is_policy(p.name))
            found |= set(beside[:FILES_MAX])
        except OSError:
            pass  # the editor has a file of a folder that is not there yet
        found |= {p for p in self.open if Path(p).parent == folder}
        sources = {p: s for p in sorted(found) if (s := self.source(p)) is not None}
        left = list(sources)
        while left and len(sources) < FILES_MAX:  # what they import from folders below
            at = left.pop()
            for target in _paths(at, _look(sources[at].text)):
                below = Path(target).is_relative_to(folder)
                if target not in sources and below and (source := self.source(target)):
                    sources[target] = source
                    left.append(target)
        return sources, {p: _look(s.text) for p, s in sources.items()}


def _is_policy(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _look(text: str) -> Look:
    """Return what *text* says, as far as the beginnings of its lines tell."""
    return Look(tuple(_IMPORTED.findall(text)), _MODEL.search(text) is not None)


def _paths(path: str, look: Look) -> set[str]:
    return {os.path.normpath(Path(path).parent / target) for target in look.imports}


def _targets(path: str, looks: Mapping[str, Look]) -> set[str]:
    return _paths(path, looks[path]) if path in looks else set()


def _importers(path: str, looks: Mapping[str, Look]) -> list[str]:
    """Return the files that import *path*, directly or not."""
    found, left = set[str](), [path]
    while left:
        at = left.pop()
        new = {p for p in looks if at in _targets(p, looks)} - found
        found |= new
        left += new
    return sorted(found)


def _is_one(looks: Mapping[str, Look]) -> bool:
    """Return whether the folder is one policy: a file of it has no model, and nobody imports it."""
    imported = {target for path in looks for target in _targets(path, looks)}
    return any(
        not look.has_model and path not in imported and not path.endswith(TESTS_SUFFIX)
        and not look.imports
        for path, look in looks.items()
    ) and len([p for p in looks if not p.endswith(TESTS_SUFFIX)]) > 1  # fmt: skip
