"""The pages on what `headrace check` can say: an index, and one page per code."""

from collections.abc import Callable, Mapping

from docs.tables import code, prose, table

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES, Code
from headrace.dsl.problems.page import Page, page, policy_of
from headrace.host.cli.explain_error import diagnostics_of, shown

FOLDER = "docs/reference/errors"


def errors() -> str:
    """Return the index of all codes."""
    rows = [(f"[{c.id}](errors/{c.id}.md)", c.level.value, c.title) for c in CODES]
    return (
        "# What `headrace check` can say\n\n"
        + prose(
            "A code is stable for ever. An error keeps a policy from loading; a warning does not, "
            "and fails `headrace check` only with `--deny warnings`. S1xx is about the text, S2xx "
            "about names, types and values, S3xx about what the policy would do.",
            "`headrace explain-error S102` prints the same pages. [How findings are "
            "printed](check.md), fixed and allowed is a page of its own.",
        )
        + table(("code", "level", "what"), rows)
    )


def error_pages() -> Mapping[str, Callable[[], str]]:
    """Return what writes each code's page, by the path of the page."""
    return {f"{FOLDER}/{c.id}.md": lambda c=c: _page(c) for c in CODES}


def _page(of: Code) -> str:
    found = page(of.id)
    assert found is not None, of
    # What a host does not perform yet is told, and several files are no one policy.
    whole = "\n=== " not in found.right and not check_policy(policy_of(found.right))
    kind = "sched" if whole else "text"
    parts = [
        f"# {of.id}: {of.title}\n\n",
        f"{of.level.value.capitalize()}. [All codes](../errors.md).\n\n",
        prose(*(" ".join(p.split("\n")) for p in found.text.split("\n\n"))),
        f"## A policy that has it\n\n```text\n{shown(found)}\n```\n\n",
        _said(found),
        f"## The same without it\n\n```{kind}\n{found.right.rstrip()}\n```\n",
    ]
    if found.allowing:
        parts.append(
            f"\n## If it is meant so\n\nAllow it on the line before: {code(found.allowing)}\n"
        )
    return "".join(parts)


def _said(found: Page) -> str:
    said = "\n".join(diagnostics_of(found)).rstrip("\n")
    return f"`headrace check` says of it:\n\n```text\n{said}\n```\n\n"
