"""A changed file takes over, whole; a bad one never does."""

import asyncio
import os
from pathlib import Path

import pytest

from headrace.dsl.program import Program
from tests.host.scrape.servers import servers
from tests.host.serve.house import chat, house, policy, quiet, run, swap_in, until

NOBODY = 65534


def test_an_edit_a_rename_and_a_rewrite_are_seen(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(1) as (one,):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [one.address]))
            async with house([path]) as running:
                first = await chat(running)
                swap_in(path, policy(2, [one.address]))
                await running.reach(2)
                second = await chat(running)
                path.write_text(policy(3, [one.address]))
                await running.reach(3)
                third = await chat(running)

        assert [first, second, third] == ["upstream-1", "upstream-2", "upstream-3"]
        assert [o.generation for o in running.outcomes] == [1, 2, 3]
        assert len({o.policy for o in running.outcomes}) == 3
        assert running.sample("headrace_policy_generation") == 3
        assert running.sample("headrace_policy_reloads_total", result="swapped") == 2

    run(main)


def test_a_config_map_is_swapped_by_its_symlink(tmp_path: Path) -> None:
    """As the kubelet does it: a new dated folder, then `..data` renamed over the old link."""

    def publish(name: str, text: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.sched").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    async def main() -> None:
        publish("..2026_1", policy(1, ["127.0.0.1:9"]))
        (tmp_path / "p.sched").symlink_to("..data/p.sched")
        async with house([tmp_path]) as running:
            publish("..2026_2", policy(2, ["127.0.0.1:9"]))
            await running.reach(2)

            assert running.reloader.reign.sources == (str(tmp_path / "p.sched"),)

    run(main)


def test_a_file_that_is_being_written_is_not_half_read(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path], interval_s=0.2) as running:
            whole = policy(2, ["127.0.0.1:9"])
            with path.open("w") as file:  # a slow writer: never the same for two looks
                for start in range(0, len(whole), 40):
                    file.write(whole[start : start + 40])
                    file.flush()
                    await asyncio.sleep(0.05)
            await running.reach(2)

        assert running.reloader.refusal is None
        assert running.sample("headrace_policy_reloads_total", result="refused") == 0

    run(main)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("sched 1\nmodel chatbot { route 100% to nowhere }\n", "nowhere"),
        ("sched 1\npool gemma {", "gemma"),
        ("", "sched 1"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_bad_file_keeps_the_old_policy_and_says_why(
    tmp_path: Path, bad: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        good = policy(1, ["127.0.0.1:9"])
        path.write_text(good)
        async with house([path]) as running:
            path.write_bytes(bad.encode("utf-8", "surrogateescape"))
            problems = await running.refused()
            page = running.desk.page()

            assert says in "\n".join(problems)
            assert says in caplog.text
            assert "refused" in caplog.text
            assert running.number == 1
            assert page["valid"] is False
            assert page["generation"] == 1
            assert running.sample("headrace_policy_valid") == 0
            assert running.sample("headrace_policy_reloads_total", result="refused") == 1

            path.write_text(good)
            await until(lambda: running.reloader.refusal is None)

            assert running.number == 1
            assert running.sample("headrace_policy_valid") == 1

    run(main)


def test_a_deleted_file_and_an_empty_directory_keep_the_old_policy(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([tmp_path]) as running:
            path.unlink()
            problems = await running.refused()

            assert "has no policy" in problems[0]
            assert running.number == 1

            path.write_text(policy(2, ["127.0.0.1:9"]))
            await running.reach(2)

            assert running.desk.page()["valid"] is True

    run(main)


def test_a_file_that_may_not_be_read_any_more_keeps_the_old_policy(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            path.chmod(0)
            was = os.geteuid()
            if was == 0:  # whom no mode stops
                os.seteuid(NOBODY)
            try:
                problems = await running.refused()
            finally:
                os.seteuid(was)
            path.chmod(0o600)
            await until(lambda: running.reloader.refusal is None)

        assert "permission denied" in problems[0]
        assert running.number == 1

    run(main)


def test_a_directory_is_one_policy_without_its_tests_and_hidden_files(tmp_path: Path) -> None:
    async def main() -> None:
        whole = policy(1, ["127.0.0.1:9"])
        rules, chain = whole.split("chain ")
        (tmp_path / "b.sched").write_text("sched 1\nchain " + chain)
        (tmp_path / "a.sched").write_text(rules)
        (tmp_path / "a_test.sched").write_text("no policy at all")
        (tmp_path / ".a.sched").write_text("an editor's own")
        async with house([tmp_path]) as running:
            names = [Path(source).name for source in running.reloader.reign.sources]
            (tmp_path / "c.sched").write_text(
                'sched 1\nguard names { patterns "secret" on match block with 400 "no" }\n'
            )
            await running.reach(2)

            assert names == ["a.sched", "b.sched"]
            assert len(running.succession.generation.program.guards) == 1

    run(main)


def test_an_imported_file_is_watched_too(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "parts").mkdir()
        part, path = tmp_path / "parts" / "guard.sched", tmp_path / "p.sched"
        guard = 'sched 1\nguard names { patterns "%s" on match block with 400 "no" }\n'
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            imported = policy(1, ["127.0.0.1:9"]).replace(
                "pool", 'import "parts/guard.sched"\npool'
            )
            swap_in(path, imported)
            missing = await running.refused()
            part.write_text(guard % "one")
            running.reloader.ask()
            await running.reach(2)
            swap_in(part, guard % "two")
            await running.reach(3)
            (screen,) = running.succession.generation.program.guards
            swap_in(part, "no guard")
            broken = await running.refused()

            assert "parts/guard.sched" in missing[0]
            assert screen.patterns == ("two",)
            assert "guard.sched" in broken[0]
            assert running.number == 3

    run(main)


def test_what_this_host_does_not_perform_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            swap_in(path, policy(2, ["127.0.0.1:9"]) + unperformed())
            problems = await running.refused()

            assert any("S108" in problem for problem in problems)
            assert running.number == 1

    run(main)


def unperformed() -> str:
    """Return a block that compiles and that no part of the host performs."""
    return "profile k { use plugin prefix-cache-scorer { block 64 tokens } }\n"


def test_a_stage_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            swap_in(path, policy(2, ["127.0.0.1:9"]).replace("metrics vllm", "metrics nobody"))
            problems = await running.refused()

            assert "nobody" in problems[0]
            assert running.number == 1

    run(main)


def test_without_an_interval_only_an_order_makes_it_look(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path], interval_s=0.0) as running:
            swap_in(path, policy(2, ["127.0.0.1:9"]))
            await quiet(running)
            before = running.number
            running.reloader.ask()
            await running.reach(2)

            assert before == 1

    run(main)


def test_what_fails_its_own_tests_does_not_serve(tmp_path: Path) -> None:
    def self_test(program: Program) -> list[str]:
        (model,) = program.models.values()
        routed = str(model.routes)
        return ["error: test `routes` failed"] if "upstream-2" in routed else []

    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path], self_test=self_test) as running:
            swap_in(path, policy(2, ["127.0.0.1:9"]))
            problems = await running.refused()
            swap_in(path, policy(3, ["127.0.0.1:9"]))
            await running.reach(2)

            assert problems == ("error: test `routes` failed",)
            assert running.reloader.refusal is None

    run(main)


def test_the_last_good_policies_can_be_gone_back_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(1) as (one,):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [one.address]))
            async with house([path]) as running:
                for version in range(2, 9):
                    swap_in(path, policy(version, [one.address]))
                    await running.reach(version)
                kept = running.desk.kept()
                now = await running.desk.roll_back("")
                await quiet(running)
                back = await chat(running)
                older = await running.desk.roll_back(str(kept[3]["digest"])[:10])
                further_back = await chat(running)
                swap_in(path, policy(9, [one.address]))
                await running.reach(11)
                forward = await chat(running)

        assert [reign["generation"] for reign in kept] == [7, 6, 5, 4, 3]
        assert (now["generation"], older["generation"]) == (9, 10)
        assert [back, further_back, forward] == ["upstream-7", "upstream-4", "upstream-9"]
        assert running.sample("headrace_policy_reloads_total", result="rolled-back") == 2

    run(main)
