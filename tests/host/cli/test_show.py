"""`headrace show`: what a policy comes to."""

from pathlib import Path

import msgspec

from tests.host.cli.command import QUICKSTART, headrace


def test_what_is_shown_is_a_clean_policy_with_the_origin_of_each_line(tmp_path: Path) -> None:
    done = headrace("show", QUICKSTART, "--effective")
    again = tmp_path / "again.sched"
    again.write_text(done.out)

    assert done.code == 0
    assert f"# {QUICKSTART}:" in done.out
    assert "metrics vllm" in done.out
    assert "# default" in done.out
    assert headrace("check", str(again)).code == 0


def test_the_binding_of_each_rule_is_shown_with_its_reason() -> None:
    done = headrace("show", QUICKSTART, "--stages")

    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "per scrape " in lines["kv_free"]
    assert "reads `endpoint.kv_cache`" in lines["kv_free"]
    assert "per request" in lines["prefix"]


def test_machines_get_both_in_one_object() -> None:
    done = headrace("show", QUICKSTART, "--stages", "--effective", "--format", "json")
    found = msgspec.json.decode(done.out)

    assert set(found) == {"policy", "effective", "stages"}
    assert {"kind", "names", "text", "origin", "statements"} == set(found["effective"][0])
    assert {"name", "text", "origin", "when", "why"} == set(found["stages"][0])


def test_what_is_shared_has_no_addresses_and_no_patterns() -> None:
    done = headrace("show", QUICKSTART, "--redact")

    assert done.code == 0
    assert "127.0.0.1" not in done.out
    assert "PRIVATE KEY" not in done.out
    assert "redacted-" in done.out


def test_imports_are_resolved_and_named(tmp_path: Path) -> None:
    (tmp_path / "base.sched").write_text('sched 1\npool a { endpoints "10.0.0.1:8000" }\n')
    main = tmp_path / "main.sched"
    main.write_text('sched 1\nimport "base.sched"\nmodel m { route a }\n')
    done = headrace("show", str(main))

    assert done.code == 0
    assert f"# {tmp_path / 'base.sched'}:2" in done.out
    assert "\nimport" not in done.out


def test_a_policy_with_an_error_and_flags_that_contradict_are_usage(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sched"
    wrong.write_text("sched 1\npool a { }\n")
    done = headrace("show", str(wrong), "--stages", "--redact")

    assert done.code == 2
    assert "pool `a` has no endpoints" in done.err
    assert "leave out `--redact`" in done.err
