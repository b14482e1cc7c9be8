"""What a profile does beside a weighted sum: products, tiers, a second pick, a refusal."""

from collections.abc import Mapping, Sequence

from headrace.dsl.checks.rules import Rules
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Beside, Combine, Pick, Profile, Refusal, Term
from headrace.dsl.syntax.choosing import BesideSaid, RefuseSaid, Weighted
from headrace.dsl.syntax.declarations import ProfileBlock

ROLES = ("prefill", "encode")
POWER_MAX = 16
_STATUS_MIN, _STATUS_MAX = 400, 599


def product(said: Sequence[Weighted], rules: Rules) -> tuple[Term, ...]:
    """Return the factors of a `multiply`, each with its power."""
    found: dict[str, Term] = {}
    for factor in said:
        power = 1.0 if factor.weight is None else float(factor.weight.value)
        if not 0 < power <= POWER_MAX:
            assert factor.weight is not None, "without a number it is 1"
            message = f"the power of `{factor.rule.text}` is outside what is allowed"
            help_ = f"above 0 and at most {POWER_MAX}; turn the scorer round: `1.0 - x`"
            rules.problems.add(
                "S303", factor.weight.span, message, "no such power", help_, level=Level.ERROR
            )
        _take(factor, power, found, rules)
    return tuple(found.values())


def tiers(said: Sequence[Weighted], rules: Rules) -> tuple[Term, ...]:
    """Return the tiers of a `rank by`, each with what still counts as equal."""
    found: dict[str, Term] = {}
    for tier in said:
        within = 0.0 if tier.weight is None else float(tier.weight.value)
        if not 0 <= within < 1:
            assert tier.weight is not None, "without a share it is 0"
            message = f"within {tier.weight.span.text} of the best is everybody"
            rules.problems.add("S218", tier.weight.span, message, "", "allowed: 0% to below 100%")
        _take(tier, within, found, rules)
    return tuple(found.values())


def _take(said: Weighted, weight: float, found: dict[str, Term], rules: Rules) -> None:
    word = said.rule
    if not (rules.names.find("scorer", word) and word.text in rules.scorers):
        return
    if word.text in found:
        message = f"`{word.text}` is twice in this list"
        rules.problems.add("S207", word.span, message, "second time", "remove it")
    found[word.text] = Term(weight, rules.scorers[word.text])


def one_combination(block: ProfileBlock, rules: Rules) -> None:
    """Report a profile that combines in more than one way."""
    verbs = [verb for verb in ("score", "multiply", "tiers", "minimize") if verb in block.spans]
    if len(verbs) < 2 or set(verbs) == {"score", "minimize"}:
        return
    message = "a profile has one of `score`, `multiply`, `rank by` and `minimize`"
    help_ = "keep one, or write a second profile"
    rules.problems.add("S217", block.spans[verbs[1]], message, "the second", help_)


def has_totals(profile: Profile, block: ProfileBlock, rules: Rules) -> None:
    """Report a pick in proportion to totals where there is only an order."""
    if profile.combine is Combine.TIERS and profile.pick is Pick.WEIGHTED:
        span = block.spans.get("pick") or block.spans.get("tiers") or block.span
        message = "`pick weighted` draws in proportion to scores, and `rank by` gives an order"
        help_ = "write `pick random of top 3`, or `score`"
        rules.problems.add("S217", span, message, "in proportion to what?", help_)


def beside(said: Sequence[BesideSaid], profile: str, rules: Rules) -> tuple[Beside, ...]:
    """Return the endpoints that are picked beside the first."""
    found: dict[str, Beside] = {}
    for one in said:
        role = one.role.text
        if role not in ROLES:
            help_ = did_you_mean(role, ROLES, "the roles are")
            message = f"there is no role `{role}` to pick"
            rules.problems.add("S214", one.role.span, message, "unknown", help_)
            continue
        if role in found:
            message = f"`{role}` is picked twice"
            rules.problems.add("S207", one.role.span, message, "second time", "remove it")
            continue
        known = rules.names.find("profile", one.profile)
        when = None
        if one.when is not None:
            where = "the condition of an `also pick`"
            when = rules.of_picked(one.when, f"{profile}.{role}", where)
        if known and (when is not None or one.when is None):
            found[role] = Beside(role, one.profile.text, when)
    return tuple(found.values())


def plain_beside(block: ProfileBlock, done: Mapping[str, Profile], rules: Rules) -> None:
    """Report a profile to pick by beside that does more than pick: nobody would ask it to."""
    for one in block.beside:
        other = done.get(one.profile.text)
        if other is None or not (other.beside or other.refusals):
            continue
        what = "also pick" if other.beside else "refuse"
        message = f"the `{what}` of profile `{other.name}` is not asked in a pick beside another"
        help_ = f"write a profile for `{one.role.text}` without it"
        rules.problems.add("S217", one.profile.span, message, "has no effect here", help_)


def refusals(said: Sequence[RefuseSaid], profile: str, rules: Rules) -> tuple[Refusal, ...]:
    """Return what a profile refuses although there is an endpoint."""
    found: list[Refusal] = []
    for one in said:
        when = rules.of_picked(one.when, f"{profile}.refuse", "the condition of a `refuse`")
        status = 412 if one.status is None else int(one.status.value)
        if not _STATUS_MIN <= status <= _STATUS_MAX:
            assert one.status is not None, "without a number it is 412"
            message = f"{status} is not the status of a refusal"
            allowed = f"allowed: {_STATUS_MIN} to {_STATUS_MAX}"
            rules.problems.add("S218", one.status.span, message, "not an error", allowed)
        if when is not None:
            text = one.message.text if one.message else Refusal(when).message
            found.append(Refusal(when, status, text))
    return tuple(found)
