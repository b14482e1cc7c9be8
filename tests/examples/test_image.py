"""The image, as far as it can be judged without a builder: what is in it, and who runs it."""

import re
import tomllib

from tests.examples.manifests import CHART, ROOT

TEXT = re.sub(r" *\\\n *", " ", (ROOT / "Dockerfile").read_text())
STEPS = [line.split(None, 1) for line in TEXT.splitlines() if line and line[0] not in "# "]
START = max(at for at, (word, _) in enumerate(STEPS) if word == "FROM")
BUILD, LAST = STEPS[:START], STEPS[START:]


def said(word: str) -> list[str]:
    """Return what the last stage says with *word*."""
    return [rest for name, rest in LAST if name == word]


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [p for name, rest in BUILD if name == "COPY" for p in rest.split()[:-1]]

    assert ignored[0] == "*"
    for path in copied:
        assert (ROOT / path).exists(), path
        assert f"!{path}" in ignored
    assert {"dsl", "extensions", "host", "policies", "pyproject.toml", "LICENSE"} <= set(copied)


def test_the_last_stage_runs_as_the_user_of_the_chart_and_installs_nothing() -> None:
    deployment = (CHART / "templates" / "deployment.yaml").read_text()
    (user,) = said("USER")
    number = user.partition(":")[0]

    assert number.isdigit()
    assert number != "0"
    assert f"runAsUser: {number}" in deployment
    assert not any(re.search(r"\b(apt|apk|pip install|curl|gcc)\b", rest) for rest in said("RUN"))
    assert all("rm -rf" in rest and "pip" in rest for rest in said("RUN"))


def test_it_starts_the_command_that_the_package_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (entry,) = said("ENTRYPOINT")
    python = re.findall(r"python(\d+\.\d+)/site-packages", TEXT)

    assert entry == '["headrace"]'
    assert "headrace" in project["scripts"]
    assert {f"FROM python:{v}-slim" for v in python} == {f"FROM {rest}" for rest in said("FROM")}


def test_the_chart_is_of_the_packages_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"appVersion: {version}\n" in (CHART / "Chart.yaml").read_text()
