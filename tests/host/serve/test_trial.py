"""A policy that is about to serve has looked at its new endpoints, and passes on all of it."""

from time import monotonic

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.picker.store import Store
from headrace.host.scrape.scraper import NoCounts, ScrapeOptions
from headrace.host.serve.trial import Trial
from tests.host.scrape.servers import servers
from tests.host.serve.house import policy, run, until

MODELS = b'{"data":[{"id":"base"},{"id":"fr","parent":"base"}]}'


def test_what_new_endpoints_say_that_they_serve_is_known_when_the_policy_begins_to_serve() -> None:
    async def main() -> None:
        async with servers(1) as (server,):
            server.models = MODELS
            before, after = (
                compile_policy([Source("p.sched", policy(version, [address]))])
                for version, address in enumerate(("127.0.0.1:1", server.address), 1)
            )
            live = Store.for_program(before)
            async with Trial(after, before, live, ScrapeOptions(), NoCounts()) as trial:
                assert await trial.warm(5.0) == ()
                live.adopt(after, monotonic())

                def known() -> tuple[str, ...]:
                    trial.hand_over()
                    endpoint = live.snapshot.pools["gemma"].get(server.address)
                    return endpoint.models if endpoint else ()

                await until(lambda: known() == ("base", "fr"))
                endpoint = live.snapshot.pools["gemma"].get(server.address)

                assert endpoint is not None
                assert (endpoint.ready, endpoint.listed) == (True, ("fr",))

    run(main)
