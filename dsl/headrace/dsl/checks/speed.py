"""`speed` of a pool: how long a step of its servers takes, part by part."""

from collections.abc import Sequence

from headrace.dsl.checks.settings import Setting, SettingCheck, SettingKind
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.program import Speed
from headrace.dsl.source import Span
from headrace.dsl.syntax.declarations import Said

_DEFAULT = Speed()
_PARTS = (
    Setting("step", SettingKind.DURATION, "any step", _DEFAULT.step_s, 1e-6, 10.0),
    Setting("request", SettingKind.DURATION, "more per answer", _DEFAULT.request_s, 0.0, 1.0),
    Setting(
        "context", SettingKind.DURATION, "more per 1,000 tokens of these", _DEFAULT.context_s,
        0.0, 1.0,
    ),
    Setting("prefill", SettingKind.DURATION, "more per prompt token", _DEFAULT.prefill_s, 0.0, 1.0),
    Setting("pair", SettingKind.DURATION, "more per pair of tokens", _DEFAULT.pair_s, 0.0, 0.001),
    Setting(
        "arrival", SettingKind.DURATION, "from here to the server's queue", _DEFAULT.arrival_s,
        0.0, 10.0,
    ),
    Setting(
        "batch", SettingKind.TOKENS, "tokens that a step computes at most",
        _DEFAULT.batch_tokens, 16, 1 << 24,
    ),
    Setting("slots", SettingKind.INT, "answers that a step continues", _DEFAULT.slots, 1, 1 << 20),
)  # fmt: skip


def speed(said: Sequence[Said], head: Span, problems: Problems) -> Speed:
    """Return the speed that is *said*; what is not said is as in `Speed`."""
    check = SettingCheck("`speed`", head, problems, {part.name: part for part in _PARTS})
    v = {name: float(value) for name, value in check.values(said).items()}
    return Speed(
        v["step"],
        v["request"],
        v["context"],
        v["prefill"],
        v["pair"],
        v["arrival"],
        int(v["batch"]),
        int(v["slots"]),
    )
