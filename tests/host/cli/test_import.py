"""`headrace import`: the policy on stdout, what is missing on stderr, the exit code says which."""

import json
from pathlib import Path

import pytest

from tests.host.cli.command import headrace

HEAD = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
WHOLE = f"""{HEAD}plugins:
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: max-score-picker
"""
PARTLY = f"{WHOLE}- type: multicluster-queue-scorer\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where to write a configuration, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "epp.yaml"


def test_what_is_expressed_whole_exits_0_and_says_nothing_more(config: Path) -> None:
    config.write_text(WHOLE)

    done = headrace("import", "epp.yaml")

    assert (done.code, done.err) == (0, "")
    assert "score 1 * kv_free + 1 * prefix" in done.out


def test_what_is_printed_is_a_policy_that_checks(config: Path) -> None:
    config.write_text(PARTLY)

    assert headrace("import", "epp.yaml", "-o", "my.sched").code == 1
    assert headrace("check", "my.sched").out == "my.sched: clean\n"


def test_what_is_not_expressed_is_told_with_its_line_and_exits_1(config: Path) -> None:
    config.write_text(PARTLY)

    done = headrace("import", "epp.yaml")

    assert done.code == 1
    assert done.err == (
        "not expressed: epp.yaml:7: plugin `multicluster-queue-scorer`: endpoints here are single "
        "servers, not clusters; give each cluster a `pool` and a share\n"
    )
    assert "are single servers, not clusters" in done.out


def test_a_report_for_machines_has_every_part_and_the_policy(config: Path) -> None:
    config.write_text(PARTLY)

    done = headrace("import", "epp.yaml", "--format", "json")
    report = json.loads(done.out)

    assert done.code == 1
    assert report["expressed"] is False
    assert [part["grade"] for part in report["parts"]] == ["exact", "exact", "exact", "left"]
    assert report["parts"][3]["line"] == 7
    assert report["policy"].startswith("sched 1\n")


def test_a_configuration_comes_from_standard_input_too() -> None:
    done = headrace("import", "-", stdin=WHOLE)

    assert done.code == 0
    assert "# Imported from <stdin>" in done.out


def test_endpoints_pool_and_models_are_taken_from_the_command_line() -> None:
    arguments = ("--pool", "gemma", "--endpoint", "10.0.0.1:80", "--endpoint", "10.0.0.2:80")
    done = headrace("import", "-", *arguments, "--model", "chat", stdin=WHOLE)

    assert 'endpoints "10.0.0.1:80", "10.0.0.2:80"' in done.out
    assert "model chat { route gemma }" in done.out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "error: epp.yaml:1: this is not YAML"),
        ("kind: Pod", "error: epp.yaml: there is no `kind: EndpointPickerConfig` in it"),
        (f"{HEAD}plugins: [x]", "error: epp.yaml:3: the configuration: `plugins` is a list of"),
        ("#" * (257 << 10), "error: `epp.yaml` is larger than 256 KiB"),
    ],
)
def test_what_is_no_configuration_exits_2(config: Path, text: str, told: str) -> None:
    config.write_text(text)

    done = headrace("import", "epp.yaml")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(told)


def test_a_file_that_cannot_be_read_exits_2(config: Path) -> None:
    config.write_bytes(b"\xff\xfe\xfd")

    assert "is not UTF-8" in headrace("import", "epp.yaml").err
    assert headrace("import", "nowhere.yaml").err == (
        "error: cannot read `nowhere.yaml`: no such file or directory\n"
    )


def test_a_file_that_is_there_is_not_overwritten(config: Path) -> None:
    config.write_text(WHOLE)

    done = headrace("import", "epp.yaml", "-o", "epp.yaml", "--endpoint", "nowhere")

    assert done.code == 2
    assert done.err.count("error: ") == 2
    assert config.read_text() == WHOLE


def test_a_name_that_no_pool_can_have_exits_2_and_writes_nothing(config: Path) -> None:
    config.write_text(WHOLE)

    done = headrace("import", "epp.yaml", "-o", "my.sched", "--pool", "My Pool")

    assert done.code == 2
    assert "S215" in done.err
    assert not Path("my.sched").exists()
