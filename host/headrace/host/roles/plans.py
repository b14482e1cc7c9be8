"""The plans of a generation's roles: the chains of its policy, joined to one another."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from headrace.dsl.program import DEFAULT_CHAIN, Chain, Program
from headrace.extensions.handover import HANDED, Seal
from headrace.extensions.headers import Headers
from headrace.extensions.priorities import priorities
from headrace.extensions.records import HandedOn
from headrace.extensions.registry import Builder, Site, build
from headrace.extensions.stage import Stage, union
from headrace.host.envoy.waits import longest_wait_s
from headrace.host.exchange.plan import Plan
from headrace.host.generation import Generation
from headrace.host.roles.role import ANY, BUILT_IN, Role
from headrace.host.roles.stages import UNASKED, HandOver, Step, TakeOver, pin

PICKER, ROUTER = "picker", "body_router"
SHARE_OF_TIMEOUT = 0.8  # what is left to the way there and back
# Google's load balancers end a stream with a larger message. (Service Extensions, limits.)
REPLY_BYTES_MAX = 128 * 1024


class RoleMisfit(Exception):
    """A role that the policy cannot play. The message names both, and the cure."""


def cautions(program: Program, roles: tuple[Role, ...], *, shares_key: bool) -> list[str]:
    """Return what an operator may not expect of *roles*, one line each.

    shares_key  whether what one process signs is known to others
    """
    lines: list[str] = []
    wait_s = longest_wait_s(program)
    for role in roles:
        within_s = SHARE_OF_TIMEOUT * role.timeout_s
        if wait_s > within_s and any(PICKER in chain.stages for chain in _chains(role, program)):
            lines.append(
                f"the policy lets requests wait for {wait_s:g} s, and `{role.name}` answers within "
                f"{within_s:g} s: give it a longer `timeout=`, and the gateway too"
            )
    if not shares_key and len(roles) > 1:
        lines.append(
            "without --session-key-file a route is known to the process that chose it only: "
            "give one if there are several"
        )
    return lines


def with_roles(
    generation: Generation, site: Site, roles: tuple[Role, ...], installed: Mapping[str, Builder]
) -> Generation:
    """Return *generation* with a plan for each of *roles*.

    installed  what `builders` returned

    Raises:
        RoleMisfit: its policy has no chain, or no pool, that a role names.
        UnknownStage: a chain names a stage that is not installed.
    """
    program = generation.program
    played = [(role, chain) for role in roles for chain in _chains(role, program)]
    stages = _built(generation)
    for name in sorted({name for _, chain in played for name in chain.stages} - stages.keys()):
        stages[name] = build(name, program, site, installed)
    picks = any(PICKER in chain.stages for _, chain in played)
    joiner = _Joiner(program, site, stages, picks)
    doors: dict[tuple[str, str], Plan] = {}
    for role, chain in played:
        joined = joiner.join(role, chain)
        needs = union(stage.needs for stage in joined)
        like = _like(generation, role.timeout_s)
        on = picks and PICKER not in chain.stages
        doors[role.name, chain.name] = replace(
            like, chain=chain.name, stages=joined, needs=needs, hands_on=on
        )
    return replace(generation, doors=doors)


@dataclass(frozen=True, slots=True)
class _Joiner:
    """Adds to chains the steps that join the roles. *picks*: one of this process does."""

    program: Program
    site: Site
    stages: Mapping[str, Stage]
    picks: bool

    def join(self, role: Role, chain: Chain) -> tuple[Stage, ...]:
        program, seal = self.program, Seal(self.site.session_key)
        last = PICKER in chain.stages
        joined = [self.stages[name] for name in chain.stages]
        if role.pool:
            at = chain.stages.index(ROUTER) + 1 if ROUTER in chain.stages else 0
            kept = pin(program, role.pool, priorities(program, self.site.directory))
            joined.insert(at, Step(kept, "pool"))
        joined.insert(0, Step(TakeOver(program, seal, last), "take_over", UNASKED))
        if not last:
            noted = (HandedOn(),) if self.picks else ()
            joined.append(Step(HandOver(seal, noted), "hand_over"))
        return tuple(joined)


def _chains(role: Role, program: Program) -> Iterable[Chain]:
    """Return the chains that may run at *role*, the policy's own before the built-in ones."""
    chains = {**BUILT_IN, DEFAULT_CHAIN.name: DEFAULT_CHAIN, **program.chains}
    if role.pool and role.pool not in program.pools:
        known = ", ".join(f"`{name}`" for name in program.pools)
        raise RoleMisfit(f"`{role.name}`: the policy has no pool `{role.pool}`; it has {known}")
    if role.chain == ANY:
        return chains.values()
    if role.chain not in chains:
        known = ", ".join(f"`{name}`" for name in sorted(chains))
        cure = f"add `chain {role.chain} {{ ... }}`, or take one of {known}"
        raise RoleMisfit(f"`{role.name}`: the policy has no chain `{role.chain}`: {cure}")
    return (chains[role.chain],)


def _built(generation: Generation) -> dict[str, Stage]:
    """Return the stages that *generation* has, by the names that chains have for them."""
    chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **generation.program.chains}
    return {
        name: stage
        for chain in chains.values()
        for name, stage in zip(chain.stages, generation.plans[chain.name].stages, strict=True)
    }


def _like(generation: Generation, timeout_s: float) -> Plan:
    """Return the plan that those of a role are like."""
    plain = generation.plans[DEFAULT_CHAIN.name]
    within_s = SHARE_OF_TIMEOUT * timeout_s
    limits = replace(plain.limits, answer_within_s=within_s, reply_bytes_max=REPLY_BYTES_MAX)
    return replace(plain, limits=limits, forged=_but_handed(plain.forged))


def _but_handed(
    forged: Callable[[Headers], tuple[str, ...]],
) -> Callable[[Headers], tuple[str, ...]]:
    """Return *forged* without the header that proves by itself who has written it."""
    return lambda headers: tuple([name for name in forged(headers) if name != HANDED])
