"""Findings as SARIF 2.1.0, the format that code scanners exchange.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import quote

from headrace.dsl.problems.codes import Code, table
from headrace.dsl.problems.diagnostic import Diagnostic, Fix
from headrace.dsl.source import Span

Json = dict[str, object]
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(findings: Sequence[Diagnostic], version: str) -> Json:
    """Return a log of one run that has *findings* as its results."""
    used = sorted({d.code for d in findings})
    rules = [_rule(table()[code]) for code in used]
    driver = {"name": "headrace", "version": version, "rules": rules}
    results = [_result(d, used.index(d.code)) for d in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: Code) -> Json:
    return {
        "id": code.id,
        "shortDescription": _text(code.title),
        "help": _text(f"headrace explain-error {code.id}"),
        "defaultConfiguration": {"level": code.level.value},
    }


def _result(diagnostic: Diagnostic, rule: int) -> Json:
    text = ": ".join(t for t in (diagnostic.message, _one_line(diagnostic.label)) if t)
    message = f"{text} ({diagnostic.help})" if diagnostic.help else text
    result: Json = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.level.value,
        "message": _text(message),
        "locations": [{"physicalLocation": _place(diagnostic.span, diagnostic.wide)}],
        "partialFingerprints": {"headrace/v1": _fingerprint(diagnostic)},
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": i, "physicalLocation": _place(r.span), "message": _text(r.label)}
            for i, r in enumerate(diagnostic.related, 1)
        ]
    if diagnostic.fix is not None:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _fingerprint(diagnostic: Diagnostic) -> str:
    """Return what stays the same while the finding moves up and down in its file."""
    span = diagnostic.span
    line = span.source.line(span.source.line_column(span.start)[0]).strip()
    parts = (diagnostic.code, span.source.name, line, diagnostic.message)
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _fix(fix: Fix) -> Json:
    replacement = {"deletedRegion": _region(fix.span), "insertedContent": {"text": fix.replacement}}
    change = {"artifactLocation": _artifact(fix.span), "replacements": [replacement]}
    return {"description": _text(fix.title), "artifactChanges": [change]}


def _place(span: Span, wide: Span | None = None) -> Json:
    place: Json = {"artifactLocation": _artifact(span), "region": _region(span)}
    if wide is not None:
        place["contextRegion"] = _region(wide)
    return place


def _artifact(span: Span) -> Json:
    return {"uri": quote(span.source.name.encode("utf-8", "surrogateescape"), safe="/._-~")}


def _region(span: Span) -> Json:
    line, column = span.source.line_column(span.start)
    end_line, end_column = span.source.line_column(span.end)
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    }


def _text(text: str) -> Json:
    return {"text": text}


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))
