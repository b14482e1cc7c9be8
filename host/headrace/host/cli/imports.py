"""Opens what policies import: files in or below the folder of the policy, and no others.

What is no file imports what lies beside it: another text of the same object.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import ImportFault
from headrace.host.serve.files import FILE_BYTES_MAX


@dataclass(slots=True)
class Imports:
    """The files of one policy. Written while it is read, by `load` only.

    texts  what is no file, by name
    known  real path -> the source that was read from there
    roots  name of a source -> the real folder that its imports cannot leave
    """

    known: dict[str, Source] = field(default_factory=dict[str, Source])
    roots: dict[str, str] = field(default_factory=dict[str, str])
    texts: dict[str, Source] = field(default_factory=dict[str, Source])

    @classmethod
    def of(cls, sources: Sequence[Source], texts: Sequence[Source] = ()) -> "Imports":
        """Return the imports of a policy that is made of *sources*: files, but for *texts*."""
        apart = {source.name: source for source in texts}
        files = [source for source in sources if source.name not in apart]
        known = {os.path.realpath(source.name): source for source in files}
        roots = {s.name: os.path.realpath(Path(s.name).parent) for s in files}
        return cls(known, roots, apart)

    def load(self, path: str, source: Source) -> Source:
        """Return the file at *path*, seen from the file *source*.

        Raises:
            ImportFault: there is none, it cannot be read, or it lies elsewhere.
        """
        if source.name.startswith("<"):
            message = "what comes from standard input has no folder to import from"
            raise ImportFault(message, "name the policy's file instead of `-`")
        if source.name in self.texts:
            return self._beside(path, source)
        name = os.path.normpath(Path(source.name).parent / path)
        real, root = os.path.realpath(name), self.roots[source.name]
        # A link is followed as far as it stays below: a mounted ConfigMap is made of links.
        if not Path(real).is_relative_to(root):
            message = f"`{path}` is a link that leads out of the policy's folder"
            raise ImportFault(message, "put the file itself there")
        if real not in self.known:
            self.known[real] = Source(name, _text(path, real))
            self.roots[name] = root
        return self.known[real]

    def _beside(self, path: str, source: Source) -> Source:
        folder = source.name.rpartition("/")[0]
        found = self.texts.get(os.path.normpath(f"{folder}/{path}"))
        if found is None or found.name.rpartition("/")[0] != folder:
            help_ = "a text of an object imports others of the same object, by their key"
            raise ImportFault(f"there is no `{path}` in `{folder}`", help_)
        return found


def _text(path: str, real: str) -> str:
    try:
        if not Path(real).is_file():
            help_ = "imports are found from the folder of the importing file"
            raise ImportFault(f"there is no file `{path}`", help_)
        with Path(real).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise ImportFault(f"`{path}` is larger than {FILE_BYTES_MAX >> 20} MiB")
        return raw.decode()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ImportFault(f"`{path}` cannot be read: {why}") from error
    except UnicodeDecodeError as error:
        message = f"`{path}` is not UTF-8 at byte {error.start}"
        raise ImportFault(message, "save it as UTF-8") from error
