"""`headrace lsp`: what it needs is said. What it answers is in tests/host/lsp."""

import pytest

from headrace.host.cli import lsp
from tests.host.cli.command import headrace


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(lsp, "find_spec", nothing)

    done = headrace("lsp")

    assert done.code == 2
    assert done.err == "error: the language server needs pygls: `pip install 'headrace[lsp]'`\n"
