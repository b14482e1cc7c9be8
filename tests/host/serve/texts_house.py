"""A host's inside whose policy is in a cluster: real watches of the double, a real reloader."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, time

from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Outcome
from headrace.host.cli.policies import SelfTest, load_policy, no_self_test
from headrace.host.cluster.api import Api
from headrace.host.scrape.scraper import ScrapeOptions
from headrace.host.serve.joined import Joined, join
from headrace.host.serve.load import VACANT, Reloading
from headrace.host.serve.options import ServeOptions
from headrace.host.serve.reload import Reloader
from headrace.host.serve.succession import Succession, World
from headrace.host.telemetry.metrics import Metrics
from tests.host.cluster.apiserver import EVENTS, ApiServer
from tests.host.cluster.objects import POLICY_LABEL, SCHED_POLICIES, Json
from tests.host.serve.house import ANY, LOOK_S, until


@dataclass(slots=True)
class TextsHouse:
    """A running host's inside, and the server that it has its policy from."""

    server: ApiServer
    reloader: Reloader
    joined: Joined
    metrics: Metrics
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def digest(self) -> str:
        """Of the policy that serves; empty while there is none."""
        return self.reloader.reign.program.digest

    @property
    def sources(self) -> list[str]:
        """The names of the texts that serve."""
        return list(self.reloader.reign.sources)

    async def ask(self) -> None:
        """Do as a host does once it knows which texts there are."""
        assert self.joined.policies is not None
        while self.joined.policies.pending():
            await self.joined.cluster.looked()
        self.reloader.ask()

    async def reach(self, number: int) -> None:
        """Wait until the generation *number* serves."""
        await until(lambda: self.reloader.reign.number >= number and not self.reloader.vacant)

    async def refused(self, says: str) -> None:
        """Wait until texts are refused because of what *says*."""
        await until(lambda: self.reloader.refusal and says in str(self.reloader.refusal.problems))

    def conditions(self, name: str) -> dict[str, str]:
        """The reasons of the conditions of a SchedPolicy, by type."""
        said = self.status(name).get("conditions", ())
        return {"Accepted": "", "Programmed": ""} | {one["type"]: one["reason"] for one in said}

    def status(self, name: str) -> Json:
        """The status of a SchedPolicy."""
        there = self.server.shelf.get(SCHED_POLICIES, name)
        assert there is not None
        return dict(there["status"])

    def events(self, name: str) -> list[tuple[str, str]]:
        """The reasons and texts of the Events about an object, oldest first."""
        found, _ = self.server.shelf.listed(EVENTS, "default", lambda _: True)
        found = sorted(found, key=lambda one: int(one["metadata"]["resourceVersion"]))
        ours = [one for one in found if one["involvedObject"]["name"] == name]
        return [(one["reason"], one["message"]) for one in ours]


@asynccontextmanager
async def texts_house(
    server: ApiServer,
    api: Api,
    paths: tuple[Path, ...] = (),
    *,
    soak_s: float = 0.0,
    self_test: SelfTest = no_self_test,
) -> AsyncGenerator[TextsHouse]:
    """Serve the policy that the cluster of *api*, and the files at *paths*, have."""
    outcomes: list[Outcome] = []
    metrics = Metrics()
    options = ServeOptions(ANY, ANY, kube=api, policies_from=(POLICY_LABEL,))
    joined = join(api, options, metrics, beside=bool(paths))
    store = Store.for_program(VACANT, joined.cluster)
    site = Site(store, outcomes.append, epoch_s=time() - monotonic())
    scraping = ScrapeOptions(timeout_s=0.5)
    world = World(site, options, scraping, metrics, metrics.soaked, cluster=joined.cluster)
    succession = Succession(VACANT, world)
    names = [str(path) for path in paths]
    load = partial(load_policy, names, self_test)
    reloading = Reloading(load, names, {}, LOOK_S, soak_s, joined.policies)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(succession.scraper)
        exits.push_async_callback(joined.stop)
        joined.start()
        reloader = await exits.enter_async_context(Reloader(succession, reloading, metrics))
        yield TextsHouse(server, reloader, joined, metrics, outcomes)
