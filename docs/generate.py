"""Write the reference pages from the code that they describe: `python -m docs.generate`.

A page is generated whole, or one region of it is, between `<!-- generated: NAME -->` and
`<!-- end -->`. A test compares what is committed with what this would write.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from docs.cli_page import cli
from docs.dialect_page import dialects
from docs.error_pages import error_pages, errors
from docs.library_page import page as library
from docs.pages import log, metrics, order, reasons, spans, vocabulary
from docs.plugins_page import page as plugins
from docs.providers_page import providers
from docs.screening_page import page as screening
from docs.twins_page import twins
from docs.unperformed_list import unperformed

ROOT = Path(__file__).parents[1]
WHOLE = {
    "docs/reference/cli.md": cli,
    "docs/reference/dialects.md": dialects,
    "docs/reference/errors.md": errors,
    "docs/reference/library.md": library,
    "docs/reference/log.md": log,
    "docs/reference/metric-twins.md": twins,
    "docs/reference/metrics.md": metrics,
    "docs/reference/plugins.md": plugins,
    "docs/reference/providers.md": providers,
    "docs/reference/reasons.md": reasons,
    "docs/reference/screening.md": screening,
    "docs/reference/spans.md": spans,
    "docs/reference/vocabulary.md": vocabulary,
    **error_pages(),
}
REGIONS = {
    "docs/internals/architecture.md": {"order": order},
    "docs/language/README.md": {"unperformed": unperformed},
}
MARKED = "> Generated from the code by `python -m docs.generate`; edit the code, not this page.\n"


def fresh() -> Mapping[Path, str]:
    """Return every page that has generated text, as it should be, by its path."""
    found: dict[Path, str] = {}
    for name, page in WHOLE.items():
        title, _, rest = page().partition("\n")
        found[ROOT / name] = f"{title}\n\n{MARKED}{rest}"
    for name, regions in REGIONS.items():
        text = (ROOT / name).read_text()
        for region, content in regions.items():
            text = with_region(text, region, content())
        found[ROOT / name] = text
    return found


def with_region(text: str, name: str, content: str) -> str:
    """Return *text* with *content* in its region *name*.

    Raises:
        ValueError: *text* does not have that region exactly once.
    """
    opening = f"<!-- generated: {name} -->\n"
    pattern = re.compile(f"(?<={re.escape(opening)}).*?(?=<!-- end -->)", re.DOTALL)
    text, count = pattern.subn(lambda _: content, text)
    if count != 1:
        raise ValueError(f"`{name}` is a region {count} times, not once")
    return text


def main() -> None:
    """Write every page that differs."""
    for path, text in fresh().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
