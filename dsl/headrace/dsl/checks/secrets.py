"""What looks like a secret: it belongs into the environment, not into a policy.

A policy is read by many, kept in a repository and shown by tools.
"""

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.secret_forms import looks_secret
from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Word


def no_secret(word: Word, what: str, help_: str, problems: Problems) -> bool:
    """Return whether *word* holds no secret; report one that it seems to hold."""
    if not looks_secret(word.text):
        return True
    reported(word.span, what, help_, problems)
    return False


def reported(span: Span, what: str, help_: str, problems: Problems) -> None:
    """Report that *what*, which is a secret or looks like one, stands at *span*."""
    message = f"{what} looks like a secret, and a policy is no place for one"
    problems.add("S231", span, message, "do not write it here", help_)
