"""What follows from a pick: whether it is refused, and who is picked beside it.

Prefill and decode on different endpoints: the profile picks who decodes, which is where the
request goes, and a header tells the server there who prefills.
Source of the headers: llm-d-router, disagg-profile-handler.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from headrace.dsl.program import EndpointFilter, Profile, Refusal, RuleFault
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.decision import Decision, How
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.values import PickValues
from headrace.extensions.records import RuleError

HEADERS: Mapping[str, str] = {
    "prefill": "x-prefiller-host-port",
    "encode": "x-encoder-hosts-ports",
}


class After(Struct, frozen=True):
    """What a profile says of an endpoint that it has picked.

    decision  with what was picked beside it
    refusal   the first that holds; then nobody is picked beside
    errors    of the conditions; one that failed does not hold
    """

    decision: Decision
    refusal: Refusal | None = None
    errors: tuple[RuleError, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """What the server at the endpoint is told: who prefills, who encodes."""
        return {HEADERS[r]: d.chosen for r, d in self.decision.beside if d.chosen is not None}


def after(decision: Decision, question: Question, plans: Plans) -> After:
    """Return what follows from *decision*, which *question* led to.

    Who is picked beside must pass its own profile, and must be another endpoint: a server
    that has to do both does them better without a second request.
    """
    profile = question.profiles.get(decision.profile)
    if profile is None or decision.chosen is None or not (profile.beside or profile.refusals):
        return After(decision)
    errors: list[RuleError] = []
    for refusal in profile.refusals:
        if _holds(refusal.when, decision.chosen, question, errors):
            return After(decision, refusal, tuple(errors))
    picked: list[tuple[str, Decision]] = []
    others = _beside(question, decision.chosen) if profile.beside else question
    for one in profile.beside:
        if one.when is None or _holds(one.when, decision.chosen, question, errors):
            picked.append((one.role, _pick(others, question.profiles[one.profile], plans)))
    found = [(r, d) for r, d in picked if d.how is How.SCORED and d.chosen != decision.chosen]
    return After(replace(decision, beside=tuple(found)), None, tuple(errors))


def _beside(question: Question, address: str) -> Question:
    """Return *question* as it is for who is picked beside the endpoint at *address*."""
    endpoint, request = question.pool.get(address), question.request
    if endpoint is None or not isinstance(request, PickValues):
        return question
    return replace(question, request=request.beside(endpoint.labels, endpoint.zone))


def _pick(question: Question, profile: Profile, plans: Plans) -> Decision:
    return decide(replace(question, profile=profile, faults=()), plans)


def _holds(
    condition: EndpointFilter, address: str, question: Question, errors: list[RuleError]
) -> bool:
    """Return whether *condition* is true of the endpoint at *address*; a fault goes to *errors*."""
    endpoint = question.pool.get(address)
    assert endpoint is not None, "what was picked is of the pool"
    (verdict,) = condition.column([endpoint], question.request, question.pool, question.now_s)
    if isinstance(verdict, RuleFault):
        errors.append(RuleError(condition.rule.name, verdict.kind))
    return verdict is True
