"""Which base model adapters are of, as ConfigMaps say it."""

from pathlib import Path
from typing import cast

import pytest

from headrace.host.cluster.adapters import Adapters, read_adapters
from headrace.host.cluster.reading import Flaw
from headrace.host.cluster.resource import ADAPTER_LABELS
from tests.host.cluster.house import following, usual
from tests.host.cluster.objects import CONFIG_MAPS, adapters
from tests.host.cluster.test_cluster import BY_POOL
from tests.host.cluster.test_reading import thing
from tests.host.serve.house import run, until


def test_maps_of_both_labels_say_what_adapters_are_of_and_the_oldest_counts(tmp_path: Path) -> None:
    old, new = ADAPTER_LABELS[1], ADAPTER_LABELS[0]

    def aged(one: dict[str, object], created: str) -> dict[str, object]:
        metadata = cast("dict[str, object]", one["metadata"])
        return one | {"metadata": metadata | {"creationTimestamp": created}}

    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            put = seen.server.shelf.put
            put(
                CONFIG_MAPS,
                aged(adapters("two", "llama", "- fr\n- de", new), "2026-02-01T00:00:00Z"),
            )
            put(CONFIG_MAPS, aged(adapters("one", "gemma", "- fr", old), "2026-01-01T00:00:00Z"))
            put(CONFIG_MAPS, {"metadata": {"name": "other"}, "data": {"baseModel": "x"}})
            await until(lambda: seen.cluster.directory.bases == {"fr": "gemma", "de": "llama"})
            put(CONFIG_MAPS, adapters("bad", "", "- es", new))
            put(CONFIG_MAPS, adapters("worse", "llama", "[[[", new))
            put(CONFIG_MAPS, adapters("worst", "llama", "{a: b}", new))
            seen.server.shelf.delete(CONFIG_MAPS, "one")
            await until(lambda: seen.cluster.directory.bases == {"fr": "llama", "de": "llama"})
            await until(lambda: len(seen.counts.ignored) == 3)

        assert {reason for _, reason in seen.counts.ignored} == {"base", "shape", "adapters"}

    run(main)


@pytest.mark.parametrize(
    "text", ["1.5", "on", "2001-99-99", "0b_", "!!bool foo", "!!timestamp x", "9" * 40]
)
def test_a_name_counts_as_it_is_written_whatever_else_it_looks_like(text: str) -> None:
    found = read_adapters(thing(adapters("one", "gemma", f"- {text}\n- fr")))

    assert isinstance(found, Adapters)
    assert found.names == (text.rpartition(" ")[2], "fr")


@pytest.mark.parametrize("text", ["&a [*a]", "? [a]\n: b", "[" * 1000, "- " + "x" * 2_000])
def test_what_is_no_list_of_names_is_a_flaw_and_no_exception(text: str) -> None:
    assert isinstance(read_adapters(thing(adapters("one", "gemma", text))), Flaw)
