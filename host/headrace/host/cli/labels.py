"""Labels on a command line: `key=value`, several with commas between."""

import re

from headrace.host.cli.flags import Mistakes

LABELS_MAX = 16
# Source: Kubernetes, "Labels and Selectors", syntax and character set.
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/"
KEY = re.compile(f"(?:{_PREFIX})?{_NAME}", re.ASCII)
VALUE = re.compile(f"(?:{_NAME})?", re.ASCII)


def read_labels(flag: str, text: str, mistakes: Mistakes) -> tuple[tuple[str, str], ...]:
    """Return the labels that *text* names, by key; note what is none."""
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, equals, value = part.strip().partition("=")
        if not equals or not KEY.fullmatch(key) or not VALUE.fullmatch(value):
            mistakes.add(f"{flag}: `{part}` is no label: write e.g. `headrace.dev/policy=chat`")
        elif found.setdefault(key, value) != value:
            mistakes.add(f"{flag}: `{key}` is given two values, and no object has both")
    if len(found) > LABELS_MAX:
        mistakes.add(f"{flag}: {len(found)} labels are too many: use up to {LABELS_MAX}")
    return tuple(sorted(found.items()))
