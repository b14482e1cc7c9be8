"""Stages from installed packages: found, asked what they can be told, built, and no more."""

import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import pytest

from headrace.dsl.checks.settings import Setting, SettingKind, Unavailable, Vocabulary
from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.headers import Headers
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site, UnknownStage, build, declared
from headrace.extensions.stage import ExchangeInfo, OnFailure, Outcome, Stage

MODULE = """
from dataclasses import dataclass
from headrace.dsl.checks.settings import Setting, SettingKind, Vocabulary
from headrace.extensions.stage import Filter, Needs, OnFailure

@dataclass
class Mask:
    settings: object
    name: str = "its own name"
    needs: Needs = Needs(request_body=True)
    deadline_s: float = 0.5
    on_failure: OnFailure = OnFailure.OPEN
    vocabulary = Vocabulary((
        Setting("field", SettingKind.STRING, "what to mask", required=True),
        Setting("copies", SettingKind.INT, "how many", default=1, low=1, high=9),
    ))

    @classmethod
    def build(cls, program, site, settings):
        return cls(dict(settings))

    def open(self, info):
        return Filter()

class Bare:
    pass
"""
SITE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
STAGES = frozenset({"body_router", "safety", "picker", "observability"})


def package(folder: Path, name: str, module: str, text: str, points: str) -> None:
    """Install a package *name* with one *module* in *folder*."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install three packages: one with stages, one broken, one with none."""
    stages = "[headrace.stages]\nmask = {}:Mask\n"
    package(tmp_path, "made-headrace", "made_masking", MODULE, stages.format("made_masking"))
    package(
        tmp_path, "broken-headrace", "broken_masking", "1 / 0\n", stages.format("broken_masking")
    )
    package(tmp_path, "other-thing", "other_thing", "raise SystemExit\n", "[console_scripts]\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    invalidate_caches()
    yield
    for module in ("made_masking", "broken_masking", "other_thing"):
        sys.modules.pop(module, None)


def compiled(stage: str) -> Program:
    text = f"{SITE}{stage}\nchain default {{ body_router  mask  picker }}\n"
    return compile_policy([Source("t", text)], STAGES, declares=declared)


def built(program: Program) -> Stage:
    return build("mask", program, Site(Store.for_program(program), _unheard))


def _unheard(outcome: Outcome) -> None:
    pass


def test_a_stage_says_what_it_can_be_told() -> None:
    vocabulary = declared("made-headrace", "Mask")

    assert isinstance(vocabulary, Vocabulary)
    assert vocabulary.settings[0] == Setting(
        "field", SettingKind.STRING, "what to mask", required=True
    )


def test_a_stage_is_built_with_the_settings_of_the_policy_and_its_own_defaults() -> None:
    stage = built(compiled('stage mask from "made-headrace:Mask" { field "prompt" }'))

    assert stage.name == "mask"
    assert (stage.deadline_s, stage.on_failure) == (0.5, OnFailure.OPEN)
    assert stage.needs.request_body
    assert getattr(getattr(stage, "stage", None), "settings", None) == {
        "field": "prompt",
        "copies": 1,
    }
    assert stage.open(ExchangeInfo("r-1", "default", Headers(), 0.0)) is not None


def test_the_policy_decides_how_long_a_stage_may_take_and_what_its_failure_means() -> None:
    said = 'field "x"  timeout 50ms  on_failure closed'
    stage = built(compiled(f'stage mask from "made-headrace:Mask" {{ {said} }}'))

    assert (stage.deadline_s, stage.on_failure) == (0.05, OnFailure.CLOSED)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "needs the setting `field`"),
        ('field "x"  copies 10', "`copies 10` is outside what is allowed"),
        ('field "x"  copies "two"', "`copies` is not written like this"),
        ('fild "x"', "has no setting `fild`"),
    ],
)
def test_what_a_stage_cannot_be_told_is_an_error_of_the_policy(said: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        compiled(f'stage mask from "made-headrace:Mask" {{ {said} }}')


@pytest.mark.parametrize(
    ("name", "attribute", "why"),
    [
        ("gone-headrace", "Mask", "the package `gone-headrace` is not installed"),
        ("made-headrace", "Nothing", "`made-headrace` has no `Nothing`"),
        ("made-headrace", "Bare", "`Bare` of `made-headrace` is no stage with settings"),
        ("broken-headrace", "Mask", "`broken_masking` cannot be imported: ZeroDivisionError"),
        ("other-thing", "Mask", "the package `other-thing` offers no stages"),
    ],
)
def test_why_there_is_no_stage_is_told(name: str, attribute: str, why: str) -> None:
    found = declared(name, attribute)

    assert isinstance(found, Unavailable)
    assert found.why.startswith(why)
    assert found.cure


def test_a_module_that_offers_no_stages_is_never_imported() -> None:
    declared("other-thing", "Mask")

    assert "other_thing" not in sys.modules


def test_a_package_that_has_gone_is_a_stage_that_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = compiled('stage mask from "made-headrace:Mask" { field "x" }')
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "pytest-of" not in p])

    with pytest.raises(UnknownStage, match="mask"):
        built(program)
