"""How a pick is told: to the proxy in a header and metadata alike, or to the client if nobody is.

Source: the endpoint picker protocol of the Gateway API Inference Extension.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.extensions.picker.decision import Decision, Record
from headrace.extensions.picker.rank import DESTINATIONS_MAX
from headrace.extensions.picker.ranks import HEADER as RANK
from headrace.extensions.picker.ranks import fronts
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Continue, Effect, Json, Reject

LB = "envoy.lb"
DESTINATION = "x-gateway-destination-endpoint"
SCORES = "x-gateway-destination-endpoint-scores"
# Long enough for a server to come up or a scrape to find it, short enough not to be felt.
NOWHERE_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told of a decision that chose somebody.

    headers     for the server, beside the destination
    ranks_port  where the hosts of the pool take requests for all their ranks; None: nowhere
    scores      whether the proxy is told the scores of all candidates
    watch       what may end the request while it runs
    most        how many endpoints are told at most: not every proxy takes several
    """

    decision: Decision
    headers: Mapping[str, str]
    records: tuple[object, ...]
    ranks_port: int | None = None
    scores: bool = False
    watch: Effect[Reject] | None = None
    most: int = DESTINATIONS_MAX


def told(telling: Telling) -> Continue:
    """Return the action that sends the request where the decision says."""
    decision, headers = telling.decision, dict(telling.headers)
    destinations = decision.destinations
    if telling.ranks_port is not None and decision.chosen is not None:
        destinations = fronts(destinations, telling.ranks_port)
        headers[RANK] = decision.chosen
    where = ",".join(destinations[: telling.most])
    metadata: dict[str, Json] = {DESTINATION: where}
    if telling.scores:
        metadata[SCORES] = _scores(decision)
    return Continue(
        set_headers={DESTINATION: where, **headers},
        clear_route_cache=True,
        metadata={LB: metadata},
        records=telling.records,
        watch=telling.watch,
    )


def nowhere(decision: Decision, records: tuple[object, ...]) -> Reject:
    """Return the answer to a request for which nobody was chosen."""
    return Reject(
        Reason.NO_ENDPOINTS, _why(decision), retry_after_s=NOWHERE_RETRY_S, records=records
    )


def _scores(decision: Decision) -> dict[str, float]:
    """Return the total of every candidate: more is better, so a cost c, in seconds, is 1/(1+c)."""
    known = decision.evidence  # left as it is: who tells the decision later wants what was seen
    record = known if isinstance(known, Record) else known.record()
    totals = zip(record.scored, record.totals, strict=True)
    if not any(column.cost for column in record.columns):
        return {e.address: total for e, total in totals}
    return {e.address: 1.0 / (1.0 + max(0.0, total)) for e, total in totals}


def _why(decision: Decision) -> str:
    if not decision.endpoints:
        return f"pool `{decision.pool}` has no endpoints"
    ready = sum(e.ready for e in decision.endpoints)
    if ready:
        return f"none of the {ready} ready endpoints of pool `{decision.pool}` is eligible here"
    return f"no endpoint of pool `{decision.pool}` is ready; retry when its servers are up"
