"""What the pages about gateways say to type is run here, or checked as far as that goes.

What needs a cluster is listed; each page ends with what could not be tested.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT, blocks_of
from tests.e2e.rig.envoy import validate
from tests.examples.manifests import HELM, helm
from tests.host.cli.command import headrace

HOWTO = ROOT / "docs" / "howto"
NAMES = ("gke.md", "envoy-gateway.md", "istio.md", "plain-envoy.md")
# What needs a cluster, an image builder or a network, by its first words.
NOT_HERE = (
    ("docker", "build"),
    ("kubectl", "apply"),
    ("kubectl", "-n"),
    ("curl",),
)
# Run by tests/e2e/test_roles.py, with ports of its own.
REHEARSED = (("headrace", "model-server"), ("headrace", "serve"), ("sed",), ("envoy", "-c"))


def commands(page: str) -> Iterator[list[str]]:
    """Yield the commands of *page*, each as its words."""
    for block in blocks_of(HOWTO / page):
        if block.kind == "":
            for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
                yield shlex.split(line.removesuffix(" &").partition(" > ")[0])


COMMANDS = [(page, words) for page in NAMES for words in commands(page)]


def of(*first: str) -> list[list[str]]:
    """Return the commands that begin with these words, each once."""
    found = [words for _, words in COMMANDS if words[: len(first)] == list(first)]
    return [words for at, words in enumerate(found) if words not in found[:at]]


def files(words: list[str]) -> list[Path]:
    """Return the files of the tree that *words* name."""
    told = [word.partition("=")[2] or word for word in words]
    return [ROOT / word for word in told if word.startswith("examples/")]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda x: x if isinstance(x, str) else "")
def test_every_command_is_run_somewhere_or_known_to_need_a_cluster(
    page: str, words: list[str]
) -> None:
    ours = (("headrace", "check"), ("helm", "install"), ("envoy", "--mode"))
    known = (*ours, *REHEARSED, *NOT_HERE)

    assert any(tuple(words[: len(first)]) == first for first in known), words
    assert all(path.exists() for path in files(words)), words


@pytest.mark.parametrize("page", NAMES)
def test_a_page_says_what_was_tested_and_what_could_not_be(page: str) -> None:
    last = (HOWTO / page).read_text().rpartition("\n## ")[2]

    assert last.startswith("What was tested, and what could not be\n")
    assert "\nTested: " in last
    assert "\nNot testable here: " in last


@pytest.mark.parametrize("words", of("headrace", "check"), ids=" ".join)
def test_a_policy_of_a_page_is_clean(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = headrace(*words[1:])

    assert done.code == 0
    assert done.out.endswith(": clean\n")


@pytest.mark.parametrize("words", of("helm", "install"), ids=lambda words: words[7])
@pytest.mark.skipif(HELM is None, reason="Helm is not installed: `make helm`")
def test_the_chart_renders_with_the_arguments_of_a_page(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert words[:3] == ["helm", "install", "headrace"]
    done = helm("template", *words[2:], "--kube-version", "1.32.0")

    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


@pytest.mark.e2e
@pytest.mark.parametrize("words", of("envoy", "--mode"), ids=" ".join)
def test_an_envoy_takes_the_configuration_of_a_page(words: list[str], tmp_path: Path) -> None:
    assert words[1:3] == ["--mode", "validate"]
    (path,) = files(words)

    assert validate(yaml.safe_load(path.read_text()), tmp_path) == ""


def test_the_rehearsal_changes_the_policy_as_its_page_says() -> None:
    (sed,) = of("sed")
    text = (ROOT / sed[-1]).read_text()
    for told, now in (word.split("/", 3)[1:3] for word in sed if word.startswith("s/")):
        assert told in text
        text = text.replace(told, now)
    done = headrace("check", "-", stdin=text)

    assert "inferencepool" not in text
    assert done.code == 0
