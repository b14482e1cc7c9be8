"""Whether a body is declared to be UTF-8, as all that is read here is."""

import re

UTF_8 = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\"';,\s]*)", re.IGNORECASE)


def foreign_charset(content_type: str) -> str:
    """Return a charset in *content_type* that is not UTF-8 or a part of it; empty if none is.

    JSON is always UTF-8 (RFC 8259, 8.1), and there are readers that go by the charset all the same.
    """
    named = [name.lower() for name in _CHARSET.findall(content_type)]
    return next((name for name in named if name not in UTF_8), "")
