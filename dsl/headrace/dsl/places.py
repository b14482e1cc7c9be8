"""Pools and models: where requests can go, and what callers ask for."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from headrace.dsl import tree
from headrace.dsl.diagnostic import Problems, Related
from headrace.dsl.names import Names
from headrace.dsl.program import Model, Pool, Share
from headrace.dsl.suggest import did_you_mean
from headrace.dsl.tree import Number, Word
from headrace.dsl.vocabulary import METRIC_DIALECTS, PRIORITY_MAX, PRIORITY_MIN

_POOL_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_ADAPTERS_MAX = 1000
_STALE_MIN_S, _STALE_MAX_S = 0.05, 3600.0
_ROUNDING = 1e-9


def pools(blocks: Sequence[tree.PoolBlock], names: Names, problems: Problems) -> dict[str, Pool]:
    """Return the pools by name."""
    found: dict[str, Pool] = {}
    seen: dict[str, Word] = {}
    for block in blocks:
        pool = _pool(block, names, problems)
        found.setdefault(pool.name, pool)
        for word in block.endpoints:
            _shared(word, seen, problems)
        seen |= {w.text: w for w in block.endpoints}
    return found


def _shared(word: Word, seen: Mapping[str, Word], problems: Problems) -> None:
    first = seen.get(word.text)
    if first is not None:
        message = f"`{word.text}` is in two pools"
        related = (Related(first.span, "also here"),)
        help_ = "each pool counts its own requests only, and so misjudges the load"
        problems.add("S331", word.span, message, "second pool", help_, related)


def _pool(block: tree.PoolBlock, names: Names, problems: Problems) -> Pool:
    name = block.name
    if not _POOL_NAME.fullmatch(name.text):
        help_ = "lower-case letters, digits, `-` and `.`, at most 63, as in Kubernetes"
        message = f"`{name.text}` is not a name for a pool"
        problems.add("S215", name.span, message, "not a name", help_)
    if not block.endpoints:
        help_ = 'add `endpoints "127.0.0.1:8001"`'
        message = f"pool `{name.text}` has no endpoints"
        problems.add("S216", block.span, message, "who serves?", help_)
    if block.metrics and block.metrics.text not in METRIC_DIALECTS:
        word = block.metrics
        help_ = did_you_mean(word.text, METRIC_DIALECTS, "dialects")
        problems.add("S214", word.span, f"unknown metrics dialect `{word.text}`", "unknown", help_)
    if block.profile:
        names.find("profile", block.profile)
    stale = _within(block.stale, _STALE_MIN_S, _STALE_MAX_S, "50ms to 1h", problems)
    adapters = _within(block.adapters, 1, _ADAPTERS_MAX, f"1 to {_ADAPTERS_MAX}", problems)
    return Pool(
        name.text,
        block.span,
        _endpoints(block, problems),
        block.metrics.text if block.metrics else METRIC_DIALECTS[0],
        2.0 if stale is None else stale,
        None if adapters is None else int(adapters),
        block.profile.text if block.profile else None,
    )


def _within(
    number: Number | None, low: float, high: float, shown: str, problems: Problems
) -> float | None:
    if number is None:
        return None
    if not low <= number.value <= high:
        message = f"`{number.span.text}` is outside what is allowed"
        problems.add("S218", number.span, message, "out of range", f"allowed: {shown}")
    return number.value


def _endpoints(block: tree.PoolBlock, problems: Problems) -> tuple[str, ...]:
    seen: dict[str, Word] = {}
    for word in block.endpoints:
        first = seen.setdefault(word.text, word)
        if first is not word:
            related = (Related(first.span, "first time"),)
            message = f"`{word.text}` is twice in one pool"
            problems.add("S207", word.span, message, "second time", "remove it", related)
        fault = _address_fault(word.text)
        if fault:
            message = f"`{word.text}` is not the address of an endpoint"
            help_ = 'an IP address and a port: `"10.0.0.7:8000"` or `"[fd00::7]:8000"`'
            problems.add("S218", word.span, message, fault, help_)
    return tuple(seen)


def _address_fault(text: str) -> str:
    """Return what is wrong with ``ip:port``, in words; "" if nothing is."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return "no port"
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        return "the port must be 1 to 65535"
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        # Envoy takes the destination as an address and looks no name up.
        return "a name, not an IP address" if re.search("[a-z]", host) else "not an IP address"
    if (address.version == 6) is not bracketed:
        return "an IPv6 address needs brackets" if address.version == 6 else "no brackets for IPv4"
    return ""


def models(blocks: Sequence[tree.ModelBlock], names: Names, problems: Problems) -> dict[str, Model]:
    """Return the models by name."""
    found: dict[str, Model] = {}
    for block in blocks:
        _destination(block, problems)
        routes = _routes(block, names, problems)
        if block.profile:
            names.find("profile", block.profile)
        value = priority(block.priority, problems)
        for word in block.names:
            model = Model(
                word.text,
                word.span,
                value or 0,
                routes,
                block.adapter_of is not None,
                block.profile.text if block.profile else None,
            )
            found.setdefault(word.text, model)
    return found


def priority(number: Number | None, problems: Problems) -> int | None:
    """Return the priority that is written, if it is one."""
    shown = f"{PRIORITY_MIN} to {PRIORITY_MAX}"
    value = _within(number, PRIORITY_MIN, PRIORITY_MAX, shown, problems)
    return None if value is None else int(value)


def _destination(block: tree.ModelBlock, problems: Problems) -> None:
    if block.route_span and block.adapter_of:
        message = "a model is routed or is an adapter, not both"
        related = (Related(block.route_span, "the route"),)
        help_ = "an adapter goes where its pool is: remove the route"
        problems.add("S217", block.adapter_of.span, message, "an adapter", help_, related)
    if not block.route_span and not block.adapter_of:
        name = block.names[0].text
        help_ = "add `route POOL`, or `adapter of POOL`"
        problems.add("S216", block.span, f"model `{name}` goes nowhere", "which pool?", help_)


def _routes(block: tree.ModelBlock, names: Names, problems: Problems) -> tuple[Share, ...]:
    if block.adapter_of:
        names.find("pool", block.adapter_of)
        return (Share(block.adapter_of.text, 1.0),)
    shares: list[Share] = []
    seen: dict[tuple[str, str | None], Word] = {}
    for target in block.route:
        names.find("pool", target.pool)
        rewrite = target.rewrite.text if target.rewrite else None
        first = seen.setdefault((target.pool.text, rewrite), target.pool)
        if first is not target.pool:
            related = (Related(first.span, "first time"),)
            message = f"`{target.pool.text}` is twice in one route"
            problems.add("S207", target.pool.span, message, "second time", "add them up", related)
        if target.rewrite and not (rewrite and rewrite.isprintable() and len(rewrite) <= 200):
            help_ = "1 to 200 printable characters"
            problems.add("S218", target.rewrite.span, "this is not a model's name", "", help_)
        shares.append(Share(target.pool.text, _share(target, problems), rewrite))
    _whole(block, problems)
    return tuple(shares)


def _share(target: tree.Target, problems: Problems) -> float:
    share = target.share
    if share is None:
        return 1.0
    if share.value == 0:
        help_ = "remove it, or keep it to raise it later"
        problems.add("S303", share.span, "this share is 0 %", "nothing goes there", help_)
    return share.value


def _whole(block: tree.ModelBlock, problems: Problems) -> None:
    """Report shares that do not add up to the whole."""
    assert block.route_span is None or block.route
    missing = [t for t in block.route if t.share is None]
    if missing and len(block.route) > 1:
        help_ = "write it as `10% to POOL`"
        for target in missing:
            message = f"`{target.pool.text}` has no share"
            problems.add("S302", target.pool.span, message, "how much of it?", help_)
        return
    total = sum(t.share.value for t in block.route if t.share)
    if block.route_span and not missing and abs(total - 1) > _ROUNDING:
        message = f"the shares add up to {total * 100:.10g} %, not 100 %"
        short = (1 - total) * 100
        more = "are missing" if short > 0 else "are too many"
        problems.add("S302", block.route_span, message, f"{abs(short):.10g} % {more}")
