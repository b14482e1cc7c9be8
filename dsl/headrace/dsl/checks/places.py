"""Pools: where requests can go."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from headrace.dsl.checks.dialects import Dialects
from headrace.dsl.checks.limits import within
from headrace.dsl.checks.members import described, distinct
from headrace.dsl.checks.names import Names
from headrace.dsl.checks.speed import speed
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.program import InferencePoolRef, KvEvents, Pool, Selector
from headrace.dsl.serving import GpuSource
from headrace.dsl.syntax.declarations import PoolBlock
from headrace.dsl.syntax.tree import Number, Word
from headrace.dsl.vocabulary import METRIC_DIALECTS

_POOL_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_SOURCES = ("endpoints", "inferencepool", "select")
_ADAPTERS_MAX = 1000
_STALE_MIN_S, _STALE_MAX_S = 0.05, 3600.0
_BLOCK_TOKENS_MIN, _BLOCK_TOKENS_MAX = 16, 1024
_PREFIX_BYTES_MIN, _PREFIX_BYTES_MAX = 1e6, 1e12
_STALE_S = 2.0
_DEAD_BY_STALE = 5  # `dead after` where it is not said, by `stale after`
_DEAD_MAX_S = _DEAD_BY_STALE * _STALE_MAX_S
_PORT = 8000  # what model servers listen on, if nothing is said
_LABELS_MAX = 20
_WAIT_MAX_S, _WAITING_MAX = 600.0, 100_000


def pools(
    blocks: Sequence[PoolBlock], names: Names, dialects: Dialects, problems: Problems
) -> dict[str, Pool]:
    """Return the pools by name."""
    found: dict[str, Pool] = {}
    seen: dict[str, Word] = {}
    for block in blocks:
        pool = _pool(block, names, dialects, problems)
        found.setdefault(pool.name, pool)
        for word in _addresses(block):
            _shared(word, seen, problems)
        seen |= {w.text: w for w in _addresses(block)}
    return found


def _shared(word: Word, seen: Mapping[str, Word], problems: Problems) -> None:
    first = seen.get(word.text)
    if first is not None:
        message = f"`{word.text}` is in two pools"
        related = (Related(first.span, "also here"),)
        help_ = "each pool counts its own requests only, and so misjudges the load"
        problems.add("S331", word.span, message, "second pool", help_, related)


def _pool(block: PoolBlock, names: Names, dialects: Dialects, problems: Problems) -> Pool:
    name = block.name
    if not _POOL_NAME.fullmatch(name.text):
        help_ = "lower-case letters, digits, `-` and `.`, at most 63, as in Kubernetes"
        message = f"`{name.text}` is not a name for a pool"
        problems.add("S215", name.span, message, "not a name", help_)
    _one_source(block, problems)
    if block.parent:
        names.find("pool", block.parent)
    if block.profile:
        names.find("profile", block.profile)
    stale_s, dead_s = _staleness(block, problems)
    adapters = within(block.adapters, 1, _ADAPTERS_MAX, f"1 to {_ADAPTERS_MAX}", problems)
    wait = within(block.wait, 0.001, _WAIT_MAX_S, "1ms to 10min", problems)
    waiting = within(block.wait_length, 1, _WAITING_MAX, f"1 to {_WAITING_MAX}", problems)
    return Pool(
        name.text,
        block.span,
        _endpoints(block, problems),
        block.metrics.text if block.metrics else METRIC_DIALECTS[0],
        stale_s,
        None if adapters is None else int(adapters),
        block.profile.text if block.profile else None,
        _reference(block),
        _selector(block, problems),
        speed(block.speed, block.span, problems),
        0.0 if wait is None else wait,
        100 if waiting is None else int(waiting),
        _whole(block.prefix_blocks, _BLOCK_TOKENS_MIN, _BLOCK_TOKENS_MAX, "16 to 1024", problems),
        _whole(
            block.prefix_memory, _PREFIX_BYTES_MIN, _PREFIX_BYTES_MAX, "1MB to 1000GB", problems
        ),
        _kv_events(block, problems),
        dead_s,
        dialects.of_servers(block.metrics),
        _gpu(block, dialects, problems),
        described(block.members, problems),
        _whole(block.ranks_port, 1, 65535, "1 to 65535", problems),
    )


def _whole(
    number: Number | None, low: float, high: float, shown: str, problems: Problems
) -> int | None:
    value = within(number, low, high, shown, problems)
    return None if value is None else int(value)


def _kv_events(block: PoolBlock, problems: Problems) -> KvEvents | None:
    for port in block.kv_ports:
        within(port, 1, 65535, "1 to 65535", problems)
    ports = [int(port.value) for port in block.kv_ports]
    if len(ports) > len(set(ports)):
        span = block.kv_ports[1].span
        message = f"`{span.text}` is both the port of events and of their replay"
        problems.add("S218", span, message, "the same port", "give another one")
    return KvEvents(*ports) if ports else None


def _staleness(block: PoolBlock, problems: Problems) -> tuple[float, float]:
    """Return from what age on the pool's metrics are stale, and its endpoints dead."""
    stale = within(block.stale, _STALE_MIN_S, _STALE_MAX_S, "50ms to 1h", problems)
    dead = within(block.dead, _STALE_MIN_S, _DEAD_MAX_S, "50ms to 5h", problems)
    stale_s = _STALE_S if stale is None else stale
    if dead is None:
        return stale_s, round(_DEAD_BY_STALE * stale_s, 9)
    if block.dead is not None and dead < stale_s:
        message = "an endpoint would be dead before its metrics are stale"
        help_ = "`dead after` is at least as long as `stale after`"
        problems.add("S218", block.dead.span, message, "too early", help_)
    return stale_s, dead


def _gpu(block: PoolBlock, dialects: Dialects, problems: Problems) -> GpuSource | None:
    port = within(block.gpu_port, 1, 65535, "1 to 65535", problems)
    found = dialects.of_devices(block.gpu) if block.gpu else None
    if block.gpu is None or found is None:
        return None
    if port is None and found.port is None:
        message = f"`{block.gpu.text}` does not say at which port its page is"
        help_ = f"write `gpu from {block.gpu.span.text} at port 9400`"
        problems.add("S216", block.gpu.span, message, "which port?", help_)
        return None
    return GpuSource(found, int(port or found.port or 0))


def _addresses(block: PoolBlock) -> list[Word]:
    return [*block.endpoints, *(member.address for member in block.members)]


def _one_source(block: PoolBlock, problems: Problems) -> None:
    """Report a pool that says not at all, or more than once, where its endpoints come from."""
    spans = [block.spans[verb] for verb in _SOURCES if verb in block.spans]
    if block.members and not block.endpoints:
        spans.insert(0, block.spans["endpoint"])
    if not spans:
        help_ = 'add `endpoints "127.0.0.1:8001"`, `select app = "..."` or `inferencepool NAME`'
        message = f"pool `{block.name.text}` has no endpoints"
        problems.add("S216", block.span, message, "who serves?", help_)
    for second in spans[1:]:
        related = (Related(spans[0], "the first source"),)
        message = f"pool `{block.name.text}` says twice where its endpoints come from"
        problems.add("S217", second, message, "another source", "keep one of them", related)
    if "port" in block.spans and (block.endpoints or block.members):
        help_ = "remove it: each address has its own port"
        message = "`port` has no effect beside `endpoints`"
        problems.add("S217", block.spans["port"], message, "no effect", help_)


def _reference(block: PoolBlock) -> InferencePoolRef | None:
    if block.inference_pool is None:
        return None
    namespace = block.namespace.text if block.namespace else None
    return InferencePoolRef(block.inference_pool.text, namespace)


def _selector(block: PoolBlock, problems: Problems) -> Selector | None:
    port = within(block.port, 1, 65535, "1 to 65535", problems)
    if not block.labels:
        return None
    if len(block.labels) > _LABELS_MAX:
        span = block.labels[_LABELS_MAX][0].span
        problems.add("S218", span, f"`select` has at most {_LABELS_MAX} labels", "one too many")
    distinct(block.labels, "select", problems)
    labels = tuple((name.text, value.text) for name, value in block.labels)
    return Selector(labels, _PORT if port is None else int(port))


def _endpoints(block: PoolBlock, problems: Problems) -> tuple[str, ...]:
    seen: dict[str, Word] = {}
    for word in _addresses(block):
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
