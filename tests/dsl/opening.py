"""Sources in memory, and what brings those that are imported."""

from collections.abc import Mapping
from pathlib import Path

from headrace.dsl.checks.settings import Setting, SettingKind, Unavailable, Vocabulary
from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import ImportFault, Loader

WHOLE = Path(__file__).parent / "whole" / "whole.sched"
MASKER = Vocabulary(
    (
        Setting("field", SettingKind.STRING, "what to mask", required=True),
        Setting("copies", SettingKind.INT, "how many", default=1, low=1, high=9),
        Setting("share", SettingKind.RATIO, "of what", default=0.5),
        Setting("keep", SettingKind.BYTES, "how much", low=1024),
        Setting("strict", SettingKind.BOOL, "whether to be strict", default=False),
        Setting("mode", SettingKind.WORD, "how", default="all", words=("all", "some")),
        Setting("factor", SettingKind.DOUBLE, "by what", high=2),
    )
)


def loader(files: Mapping[str, str]) -> Loader:
    """Return what brings the texts of *files*, each by its whole name."""
    sources = {name: Source(name, text) for name, text in files.items()}

    def load(path: str, source: Source) -> Source:
        name = (Path(source.name).parent / path).as_posix()
        if name not in sources:
            raise ImportFault(f"there is no file `{path}`", "write it")
        return sources[name]

    return load


def declares(package: str, attribute: str) -> Vocabulary | Unavailable:
    """Know the stage `acme-headrace:Masker` and no other."""
    if (package, attribute) == ("acme-headrace", "Masker"):
        return MASKER
    return Unavailable(f"the package `{package}` is not installed", f"`pip install {package}`")


def whole() -> tuple[Source, Loader]:
    """Return the policy that has everything, and what brings its import."""
    files = {path.name: path.read_text() for path in WHOLE.parent.glob("*.sched")}
    return Source(WHOLE.name, files[WHOLE.name]), loader(files)
