"""How two policies have decided on one request, side by side."""

from dataclasses import dataclass

from headrace.extensions.stage import Outcome
from headrace.host.telemetry.summary import Summary, summarise

KINDS = {
    "same": "both decided alike",
    "endpoint": "another endpoint of the same pool",
    "model": "another model, pool or upstream name",
    "shed": "one shed it, the other did not",
    "reject": "one rejected it, the other did not, or for another reason",
    "unjudged": "the new policy awaits the world, or the request ended before a decision",
}
"""What a verdict may be, and what it means. The first that applies from the bottom counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one request. *live* and *new* say in words what each policy decided."""

    kind: str
    request_id: str
    live: str
    new: str

    @property
    def differs(self) -> bool:
        """Whether the new policy would have acted otherwise."""
        return self.kind not in ("same", "unjudged")


def compare(live: Outcome, new: Outcome | None) -> Verdict:
    """Return how *new* differs from *live*; None stands for no decision."""
    request_id = live.request.id
    if new is None or live.decided_s is None:
        return Verdict("unjudged", request_id, "", "")
    old, fresh = summarise(live), summarise(new)
    return Verdict(_kind(old, fresh), request_id, _words(old), _words(fresh))


def _kind(old: Summary, new: Summary) -> str:
    if old.shed != new.shed:
        return "shed"
    if old.reason != new.reason:
        return "reject"
    if _where(old) != _where(new):
        return "model"
    return "same" if _chosen(old) == _chosen(new) else "endpoint"


def _where(summary: Summary) -> tuple[str, str, str]:
    route = summary.route
    return (route.model, route.pool, route.target) if route else ("", "", "")


def _chosen(summary: Summary) -> str | None:
    return summary.decision.chosen if summary.decision else None


def _words(summary: Summary) -> str:
    if summary.reason:
        return summary.reason
    model, pool, target = _where(summary)
    return f"{model} -> {pool} {_chosen(summary) or 'nowhere'} as {target}"
