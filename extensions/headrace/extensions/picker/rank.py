"""Put the endpoints that pass in order: the best, then the fallbacks.

Nothing depends on the order of the endpoints in the pool: equal totals are told apart by
the profile's `ties by`, then by a lot drawn for request, endpoint and seed.
"""

from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

from msgspec import Struct
from xxhash import xxh3_64_intdigest

from headrace.dsl.program import Combine, Pick, Profile, RequestValues, Scorer
from headrace.extensions.picker.bits import places_of
from headrace.extensions.picker.combine import totals
from headrace.extensions.picker.decision import Fault
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.staging import INFINITE, Staged, tie_values
from headrace.extensions.picker.subset import Subset
from headrace.extensions.picker.table import Key, Table, is_fault
from headrace.extensions.picker.values import NO_MATCH

DESTINATIONS_MAX = 3  # the chosen endpoint and two fallbacks
FEW = 32  # of so few endpoints, looking at each is cheaper than to walk the order
HITS_RATIO = 0.25  # with the prompt cached at more of the endpoints, all are added up at once


class Question(Struct, frozen=True):
    """What to decide by.

    profiles  those that an `else profile` may name
    subset    the proxy's hint; None if it gave none
    epoch     of the snapshot that *pool* is from
    faults    of conditions evaluated before, to be kept in the record
    """

    pool: PoolState
    request: RequestValues
    profile: Profile
    profiles: Mapping[str, Profile]
    now_s: float
    seed: int = 0
    subset: Subset | None = None
    epoch: int = 0
    faults: tuple[Fault, ...] = ()


class Ranked(NamedTuple):
    """The destinations, best first, none if no endpoint passes; and whether a rule may have failed.

    The answer to that is never a wrong no.
    """

    keys: Sequence[Key]
    faulty: bool


def rank(table: Table, staged: Staged, question: Question) -> Ranked:
    """Return the order in which *staged* would take the endpoints of *table*."""
    mask, faulty = _passing(table, question)
    if not mask:
        return Ranked((), faulty)
    pick = staged.profile.pick
    if pick is Pick.RANDOM:
        return _random(table, question, mask, faulty)
    if pick is Pick.BEST:
        return _best_of(table, question, mask, staged.profile.pick_top, faulty)
    if pick in (Pick.WEIGHTED, Pick.RANDOM_TOP):
        top = max(1, staged.profile.pick_top)
        best = _best(table, question, mask, max(top, DESTINATIONS_MAX))
        drawn = _drawn(best.keys, top, question, evenly=pick is Pick.RANDOM_TOP)
        return Ranked(drawn[:DESTINATIONS_MAX], faulty or best.faulty)
    best = _best(table, question, mask, DESTINATIONS_MAX)
    return Ranked(best.keys, True) if faulty else best


def lots(question: Question, places: Sequence[int]) -> list[float]:
    """Return per place a number in [0, 1) that depends on request, endpoint and seed only.

    A salt of the endpoint times a number of the request, of which the whole part is dropped:
    for another request the order is another, and each endpoint is as often first as any.
    """
    salts = question.pool.roster.salts
    spread = 2.0**20 + chance(question) * 2.0**20
    return [salts[place] * spread % 1.0 for place in places]


def chance(question: Question, what: str = "") -> float:
    """Return a number in [0, 1) for *what* of the request."""
    named = f"{question.request.id}\x1f{what}".encode("utf-8", "surrogatepass")
    return (xxh3_64_intdigest(named, question.seed) >> 11) / 2.0**53


def _passing(table: Table, question: Question) -> tuple[int, bool]:
    """Return the bits of the endpoints that pass the filters, and whether one may have failed."""
    split, subset = table.split, question.subset
    mask = table.all if subset is None else table.mask_of(subset)
    if split.still:
        kept = table.kept if subset is None else table.passing(mask)
        return kept, bool(table.faulty & mask)
    faulty = bool(table.faulty & mask)
    kept = table.able(mask)
    for i, filtering in split.steps:
        if i >= 0:
            both = kept & table.passed[i]
        else:
            places = places_of(kept)
            es = [question.pool.endpoints[p] for p in places]
            rule = filtering.filter
            column = rule.column(es, question.request, question.pool, question.now_s)
            if column.count(True) == len(places):  # as of most filters, most of the time
                continue
            both = 0
            for place, verdict in zip(places, column, strict=True):
                if verdict is True:
                    both |= 1 << place
            faulty = faulty or any(map(is_fault, column))
        kept = both or (kept if filtering.prefer else 0)
    return kept, faulty


def _best(table: Table, question: Question, mask: int, count: int) -> Ranked:
    """Return the first *count* of *mask*, or all if there are fewer."""
    split = table.split
    if not split.sparse:
        return _all(table, question, mask, count)
    prefix = question.request.prefix if split.rest else NO_MATCH
    places = table.roster.positions
    hits = [places[a] for a in prefix if a in places]
    if mask != table.all:
        hits = [p for p in hits if mask >> p & 1]
    if not hits:
        return Ranked(_first(table, question, _leading(table, mask, (), count), count), False)
    if len(hits) > FEW + HITS_RATIO * len(table.keys):
        return _all(table, question, mask, count)
    ranks, faulty = _ranks(table, question, hits)
    keys, near = table.keys, _leading(table, mask, hits, count)
    worst = near[-1][0] if len(near) >= count else INFINITE
    near += [(r, keys[p][1], p) for r, p in zip(ranks, hits, strict=True) if r <= worst]
    near.sort()
    return Ranked(_first(table, question, near, count), faulty)


def _leading(table: Table, mask: int, hits: Collection[int], count: int) -> list[Key]:
    """Return the first *count* of *mask* by the table's order, less *hits*, and their equals."""
    whole = mask == table.all
    if not whole and mask.bit_count() <= FEW:
        keys = table.keys
        return sorted([keys[p] for p in _few_places(mask) if p not in hits])
    found: list[Key] = []
    hits = hits if len(hits) <= FEW else frozenset(hits)
    left = count
    rank = tie = 0.0
    for key in table.order:
        place = key[2]
        if place not in hits and (whole or mask >> place & 1):
            if left <= 0 and (key[0] != rank or key[1] != tie):
                break
            found.append(key)
            rank, tie, _ = key
            left -= 1
    return found


def _all(table: Table, question: Question, mask: int, count: int) -> Ranked:
    """Return the first *count* of *mask*, with the rest of the terms evaluated everywhere."""
    places = range(len(table.keys)) if mask == table.all else places_of(mask)
    ranks, faulty = _ranks(table, question, places)
    keys = table.keys
    if len(ranks) > FEW:
        worst = nsmallest(count, ranks)[-1]
        near = [(r, keys[p][1], p) for r, p in zip(ranks, places, strict=True) if r <= worst]
    else:
        near = [(r, keys[p][1], p) for r, p in zip(ranks, places, strict=True)]
    near.sort()
    return Ranked(_first(table, question, near, count), faulty)


def _ranks(table: Table, question: Question, places: Sequence[int]) -> tuple[Sequence[float], bool]:
    """Return the ranks at *places*: what is kept of them and, evaluated there, the other terms.

    And whether any of these failed.
    """
    bases, endpoints, sign = table.bases, question.pool.endpoints, table.sign
    if isinstance(places, range):  # all of them
        es: Sequence[Endpoint] = endpoints
        ranks = bases
    else:
        es, ranks = [endpoints[p] for p in places], [bases[p] for p in places]
    if table.split.combine is not Combine.SUM:
        return _combined(table, question, es)
    faulty = False
    for term in table.split.rest:
        raw = term.column(es, question.request, question.pool, question.now_s)
        weight, values = sign * term.weight, term.values(raw)
        ranks = [r + weight * v for r, v in zip(ranks, values, strict=True)]
        faulty = faulty or (values != raw and any(map(is_fault, raw)))
    return ranks, faulty


def _combined(
    table: Table, question: Question, es: Sequence[Endpoint]
) -> tuple[Sequence[float], bool]:
    """Return the ranks of *es*, all that passed, by what is no sum; and whether any term failed."""
    split, faulty = table.split, False
    columns: list[Sequence[float]] = []
    for term in split.rest:
        raw = term.column(es, question.request, question.pool, question.now_s)
        values = term.values(raw)
        columns.append(values)
        faulty = faulty or (values != raw and any(map(is_fault, raw)))
    found = totals(split.combine, [t.weight for t in split.rest], columns, len(es))
    return [table.sign * total for total in found], faulty


def _first(table: Table, question: Question, near: list[Key], count: int) -> list[Key]:
    """Return the first *count* of *near*, which are in order but for the lots of equal ones."""
    ranks = {key[0] for key in near[: count + 1]}
    if len(ranks) == min(count + 1, len(near)):
        return near[:count]  # no two of them are equal
    found: list[Key] = []
    start = 0
    while start < len(near) and len(found) < count:
        rank, tie, _ = near[start]
        end = start + 1
        while end < len(near) and near[end][0] == rank and near[end][1] == tie:
            end += 1
        if end == start + 1:
            found.append(near[start])
        else:
            places = [key[2] for key in near[start:end]]
            for place in _resolved(table.split.live_ties, question, places, count - len(found)):
                found.append((rank, tie, place))
        start = end
    return found


def _resolved(
    ties: Scorer | None, question: Question, places: Sequence[int], count: int
) -> list[int]:
    """Return the first *count* of *places* by a live `ties by`, lower first, then by lot."""
    drawn = lots(question, places)
    addresses = question.pool.roster.addresses
    named = [addresses[p] for p in places]
    if ties is not None:
        es = [question.pool.endpoints[p] for p in places]
        raw = ties.column(es, question.request, question.pool, question.now_s)
        values = tie_values(raw)
        return [k[3] for k in nsmallest(count, zip(values, drawn, named, places, strict=True))]
    return [k[2] for k in nsmallest(count, zip(drawn, named, places, strict=True))]


def _random(table: Table, question: Question, mask: int, faulty: bool) -> Ranked:
    """Return the first of *mask* by lot alone."""
    places = places_of(mask)
    ranks, failed = _ranks(table, question, places)
    addresses = question.pool.roster.addresses
    named = [addresses[p] for p in places]
    drawn = zip(lots(question, places), named, ranks, places, strict=True)
    first = nsmallest(DESTINATIONS_MAX, drawn)
    return Ranked([(rank, 0.0, place) for _, _, rank, place in first], faulty or failed)


def _best_of(table: Table, question: Question, mask: int, count: int, faulty: bool) -> Ranked:
    """Return *count* of *mask* drawn by lot, best first, and then further ones by lot."""
    places = places_of(mask)
    ranks, failed = _ranks(table, question, places)
    addresses, keys = table.roster.addresses, table.keys
    drawn = zip(lots(question, places), [addresses[p] for p in places], ranks, places, strict=True)
    first = nsmallest(max(count, DESTINATIONS_MAX), drawn)
    near = sorted((rank, keys[p][1], p) for _, _, rank, p in first[:count])
    best = _first(table, question, near, len(near))
    more = [(rank, keys[p][1], p) for _, _, rank, p in first[count:]]
    return Ranked([*best, *more][:DESTINATIONS_MAX], faulty or failed)


def _drawn(keys: Sequence[Key], top: int, question: Question, *, evenly: bool) -> Sequence[Key]:
    """Return *keys* with one of the first *top* in front, drawn *evenly* or by its total."""
    weights = [1.0 if evenly else abs(key[0]) for key in keys[:top]]
    if not 0.0 < sum(weights) < INFINITE:
        weights = [1.0] * len(weights)
    left = chance(question, "draw") * sum(weights)
    place = len(weights) - 1
    for i, weight in enumerate(weights):
        if left < weight:
            place = i
            break
        left -= weight
    return [keys[place], *keys[:place], *keys[place + 1 :]]


def _few_places(mask: int) -> list[int]:
    places: list[int] = []
    while mask:
        lowest = mask & -mask
        places.append(lowest.bit_length() - 1)
        mask ^= lowest
    return places
