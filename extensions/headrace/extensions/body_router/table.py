"""The models of a policy, laid out for look-up: name -> model, bucket -> share."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from xxhash import xxh3_64_intdigest

from headrace.dsl.program import Model, Program, Share
from headrace.extensions.values import ModelFacts

DEFAULT_PROFILE = "default"
NAMES_SHOWN_MAX = 5
# RFC 3986: of a path without escapes, which a server would have to undo, and that is what it says.
PLAIN = re.compile(r"[A-Za-z0-9/._~!$&'()*+,=:@-]+", re.ASCII)
ODD = re.compile(r"//|/\.{1,2}(/|$)")


@dataclass(frozen=True, slots=True)
class Target:
    """One share of a model with all that follows from it. *share* is 0..1."""

    pool: str
    share: float
    rewrite: str | None
    profile: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, ready to route by. *bounds*: where each target's part of [0, 1) ends.

    asked    what rules may know of it
    mirrors  the pools that get copies, each with where its part of [0, 1) ends
    """

    model: Model
    targets: tuple[Target, ...]
    bounds: tuple[float, ...]
    pieces: tuple[str, ...]
    asked: ModelFacts
    mirrors: tuple[tuple[str, float], ...] = ()

    def target(self, bucket: float) -> Target:
        """Return the target whose part of [0, 1) holds *bucket*."""
        return self.targets[min(bisect_right(self.bounds, bucket), len(self.targets) - 1)]

    def mirror(self, request_id: str) -> str:
        """Return the pool that gets a copy of the request *request_id*; empty if none does."""
        if not self.mirrors:
            return ""
        bucket = bucket_of(request_id, f"{self.model.name}\0mirror")
        return next((pool for pool, end in self.mirrors if bucket < end), "")

    def fits(self, name: str) -> bool:
        """Return whether *name* fits the pattern: each ``*`` is any text, also none."""
        first, *middle, last = self.pieces
        if len(name) < len(first) + len(last):
            return False
        if not (name.startswith(first) and name.endswith(last)):
            return False
        at, end = len(first), len(name) - len(last)
        for piece in middle:
            # The leftmost fit leaves the most room, so there is never a way back to try.
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


@dataclass(frozen=True, slots=True)
class Table:
    """All models: *exact* by name, *patterns* longest first.

    unnamed  where requests go that ask for no model: as model `*` says, else to the only pool
    paths    those that pass unread, and *beginnings* of such, the longest first
    """

    exact: Mapping[str, Entry]
    patterns: tuple[Entry, ...]
    unnamed: Entry | None = None
    paths: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    beginnings: tuple[tuple[str, Entry], ...] = ()

    def passing(self, path: str) -> Entry | None:
        """Return the model that *path*, without its query, passes to unread.

        A path that a server may take for another one passes to none.
        """
        if not self.paths and not self.beginnings:
            return None
        if not PLAIN.fullmatch(path) or ODD.search(path):
            return None
        entry = self.paths.get(path)
        if entry is not None:
            return entry
        return next((e for begin, e in self.beginnings if path.startswith(begin)), None)

    def find(self, name: str) -> Entry | None:
        """Return the entry of *name*: its own before the longest pattern that fits."""
        entry = self.exact.get(name)
        if entry is not None:
            return entry
        return next((entry for entry in self.patterns if entry.fits(name)), None)

    def known(self) -> str:
        """Return a few of the names, for a message to someone who asked for another."""
        names = [*self.exact, *(entry.model.name for entry in self.patterns)]
        shown = ", ".join(f"`{name}`" for name in names[:NAMES_SHOWN_MAX])
        if len(names) > NAMES_SHOWN_MAX:
            return f"known: {shown} and {len(names) - NAMES_SHOWN_MAX} more"
        return f"known: {shown}" if names else "the policy has no models"


def table(program: Program) -> Table:
    """Return the table of *program*.

    Raises:
        ValueError: a model has no route and there is not just one pool to mean.
    """
    entries = [_entry(model, program) for model in program.models.values()]
    patterns = [entry for entry in entries if entry.model.pattern]
    patterns.sort(key=lambda entry: (-len(entry.model.name), entry.model.name))
    exact = {entry.model.name: entry for entry in entries if not entry.model.pattern}
    every = next((entry for entry in patterns if entry.model.name == "*"), None)
    passing = [(path, entry) for entry in entries for path in entry.model.passthrough]
    paths = {path: entry for path, entry in reversed(passing) if not path.endswith("*")}
    begin = [(path[:-1], entry) for path, entry in passing if path.endswith("*")]
    begin.sort(key=lambda pair: -len(pair[0]))
    unnamed = every or _only_pool(program)
    return Table(exact, tuple(patterns), unnamed, paths, tuple(begin))


def bucket_of(sticky_key: str, model: str) -> float:
    """Return where *sticky_key* falls in [0, 1) among the shares of *model*.

    The same for the same arguments on every machine. The model is the salt: a key in the
    canary of one model is not for that reason in the canary of all.
    """
    digest = xxh3_64_intdigest(f"{model}\0{sticky_key}".encode("utf-8", "surrogateescape"))
    return (digest >> 11) * 2.0**-53  # 53 bits: all that a float below 1 can tell apart


def _entry(model: Model, program: Program) -> Entry:
    shares = [share for share in model.routes if share.share > 0]
    if not shares and len(program.pools) == 1:
        shares = [Share(next(iter(program.pools)), 1.0)]
    if not shares:
        raise ValueError(f"model `{model.name}` has no route; name a pool")
    targets = tuple(_target(model, share, program) for share in shares)
    bounds = tuple(accumulate(target.share for target in targets))
    ends = accumulate(mirror.share for mirror in model.mirrors)
    mirrors = tuple((mirror.pool, end) for mirror, end in zip(model.mirrors, ends, strict=True))
    pieces = tuple(model.name.split("*"))
    return Entry(model, targets, bounds, pieces, model_facts(model), mirrors)


def _only_pool(program: Program) -> Entry | None:
    """Return the entry of no model at all, if there is just one pool to mean."""
    if len(program.pools) != 1:
        return None
    (pool,) = program.pools.values()
    return _entry(Model("", pool.span, routes=(Share(pool.name, 1.0),)), program)


def model_facts(model: Model) -> ModelFacts:
    """Return what rules may know of *model*."""
    bound_s = model.latency.below_s if model.latency else None
    return ModelFacts(model.name, model.priority, bound_s)


def _target(model: Model, share: Share, program: Program) -> Target:
    pool = program.pools.get(share.pool)
    profile = model.profile or (pool.profile if pool else None) or DEFAULT_PROFILE
    return Target(share.pool, share.share, share.rewrite, profile)
