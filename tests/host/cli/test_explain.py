"""`headrace explain`, `eval` and `cel`: why, of a state that is given and of one on record."""

import asyncio
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pytest

from tests.host.cli.command import QUICKSTART, headrace, running
from tests.host.extproc.wire import body, client, head, reply

STATE = """
pools:
  gemma:
    a: {kv_cache: 97%, queue: 3}
    b: {kv_cache: 0.62, queue: 3, prefix_match: 82%}
    c: {kv_cache: 5%, queue: 4, running: 1}
"""
CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
REQUEST = '{"model": "chatbot", "headers": {"x-job": "day"}, "id": "7f3b"}'


@pytest.fixture
def given(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "s.yaml").write_text(STATE)
    (tmp_path / "r.json").write_text(REQUEST)
    return ("--state", str(tmp_path / "s.yaml"), "--request", str(tmp_path / "r.json"))


def test_the_page_tells_conditions_filters_scores_and_what_would_have_won(
    given: tuple[str, ...],
) -> None:
    done = headrace("explain", QUICKSTART, *given)
    lines = done.out.splitlines()

    assert done.code == 0
    assert lines[0].startswith("7f3b  model chatbot  priority 10  → pool gemma (share 0.9")
    overload = "overload?   pool.kv_cache > 80% || pool.queue > 5.0    no"
    assert any(line.startswith(overload) for line in lines)
    assert any(line.startswith("has_room    dropped a:") for line in lines)
    assert any("◀ picked" in line and line.startswith("b ") for line in lines)
    assert any("would win if prefix > " in line and line.startswith("c ") for line in lines)


def test_a_record_is_explained_without_the_policy_to_the_same_page(
    given: tuple[str, ...], tmp_path: Path
) -> None:
    story = headrace("explain", QUICKSTART, *given, "--format", "json").out
    one = tmp_path / "one.json"
    one.write_text(story)
    log = tmp_path / "d.jsonl"
    compact = msgspec.json.encode(msgspec.json.decode(story))
    other = compact.replace(b'"7f3b"', b'"9999"')
    log.write_bytes(b"torn {\n" + compact + b"\n" + other + b"\n")
    page = headrace("explain", QUICKSTART, *given).out

    assert headrace("explain", str(one)).out == page
    assert headrace("explain", str(log), "--id", "7f").out == page
    assert headrace("explain", str(log)).out.startswith("9999")
    missing = headrace("explain", str(log), "--id", "abc")
    assert missing.code == 1
    assert "begins with `abc` (1 unreadable lines)" in missing.err


def test_a_test_gives_state_and_request_too() -> None:
    tests = QUICKSTART.replace(".sched", "_test.sched")
    done = headrace("explain", tests, "--test", "shed first #1")

    assert done.code == 0
    assert "answered    429 shed: busy, batch work waits" in done.out
    assert "shed?       request.priority < 0    yes" in done.out
    assert headrace("explain", tests, "--test", "no such").code == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("{", "is not JSON (line 1, column 2: "),
        ('{"gemma": {"a": {"kv_cahe": 1}}}', "did you mean `kv_cache`?"),
        ('{"gemma": {"a": {"kv_cache": 1.5}}}', "outside what is possible"),
        ('{"gema": {"a": {}}}', "gemma"),
        ('{"gemma": 1}', "pool `gemma`"),
        ("[" * 100_000, "is nested too deep"),
    ],
)
def test_a_state_that_means_nothing_is_refused_with_the_cure(
    state: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.json"
    path.write_text(state)
    done = headrace("explain", QUICKSTART, "--state", str(path))

    assert done.code == 2
    assert words in done.err


def test_yaml_aliases_are_refused_before_they_grow(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    done = headrace("explain", QUICKSTART, "--state", str(path))

    assert done.code == 2
    assert "aliases" in done.err


@pytest.mark.parametrize(
    ("expression", "flags", "code", "out"),
    [
        ("1.5 + 2.0", (), 0, "3.5  (double)"),
        ("duration_of", (), 1, ""),
        ("1 +", (), 1, ""),
        ("10 / (request.max_tokens - 0)", (), 1, "error: division by zero  (int)"),
        ('"ab".startsWith("a")', (), 0, "true  (bool)"),
        ("request.model", (), 0, '"any"  (string)'),
        ("has_room", ("--policy", QUICKSTART), 0, "gemma/127.0.0.1:18001: true  (bool)"),
        ("pool.size", ("--policy", QUICKSTART), 0, "gemma: 4  (count)"),
        ("decision.priority", ("--policy", QUICKSTART), 0, "10  (int)"),
        ("decision.shed && endpoint.ready", (), 2, ""),
    ],
)
def test_eval_prints_value_type_and_parts(
    expression: str, flags: tuple[str, ...], code: int, out: str
) -> None:
    done = headrace("eval", expression, *flags)

    assert done.code == code, done.err
    assert done.out.startswith(out)
    assert done.out or done.err


def test_eval_knows_what_of_the_prompt_is_cached_where(tmp_path: Path) -> None:
    state, asked = tmp_path / "state.json", tmp_path / "request.json"
    state.write_text('{"pools": {"big": {"warm": {"prefix_match": 0.5}, "cold": {}}}}')
    asked.write_text('{"model": "big", "prompt_tokens": 3000}')
    policy = tmp_path / "p.sched"
    policy.write_text('sched 1\npool big { endpoints "10.0.0.1:80" }\nmodel big { route big }\n')
    done = headrace(
        "eval",
        "request.uncached_tokens(endpoint) == 1500 && endpoint.prefix_match == 50%",
        *("--policy", str(policy), "--state", str(state), "--request", str(asked)),
    )

    assert "big/warm: true" in done.out
    assert "big/cold: false" in done.out


def test_eval_reads_a_state_and_tells_machines(given: tuple[str, ...]) -> None:
    done = headrace("eval", "kv_free > 50%", "--policy", QUICKSTART, *given, "--format", "json")
    told = {one["of"]: one["value"] for one in msgspec.json.decode(done.out)}

    assert done.code == 0
    assert told["gemma/a"] == "false"
    assert told["gemma/c"] == "true"


def test_cel_prints_a_named_expression_for_use_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "p.sched"
    path.write_text(
        'sched 1\npool p { endpoints "1.1.1.1:1" }\nmodel m { route p }\n'
        "let most = 95%\nfilter f = endpoint.kv_cache < most && endpoint.age < 2s\n"
    )
    done = headrace("cel", f"{path}:f")

    assert done.code == 0
    assert done.out == 'endpoint.kv_cache < 0.95 && endpoint.age < duration("2s")\n'
    assert headrace("cel", f"{path}:g").code == 1
    assert headrace("cel", str(path)).code == 2


@pytest.mark.e2e
def test_a_policy_that_fails_its_own_test_serves_only_if_told_to_and_logs_why_it_decided(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.sched"
    path.write_text(
        'sched 1\npool p { endpoints "127.0.0.1:1" }\nmodel m { route p }\n'
        'test "t" { when request { "model": "m" } expect decision.shed }\n'
    )
    anywhere = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    log = str(tmp_path / "d.jsonl")
    refused = headrace("serve", str(path), *anywhere)

    assert refused.code == 2
    assert "the policy fails its own test" in refused.err
    flags = (*anywhere, "--no-self-test", "--decision-log", log)
    with running("serve", str(path), *flags) as (child, ready):
        asyncio.run(ask(ready["listen"]))
        child.terminate()
        child.wait(30)

    page = headrace("explain", log).out
    assert "model m  priority 0  → pool p" in page
    assert "answered    503 no-endpoints: no endpoint of pool `p` is ready" in page


def test_a_running_host_is_asked_about_a_request_that_it_remembers(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-reader\n")
    shows = ("--token-file", str(tmp_path / "token"))
    anywhere = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    asks = ("--metrics-token-file", str(tmp_path / "token"), "--emit-endpoint-scores")
    with running("serve", QUICKSTART, *anywhere, *asks) as (_, ready):
        asyncio.run(ask(ready["listen"]))
        url = f"http://{ready['metrics']}"
        listed = Request(f"{url}/decisions", headers={"authorization": "Bearer a-reader"})
        with urlopen(listed, timeout=5) as page:
            (row,) = msgspec.json.decode(page.read())
        done = headrace("explain", "--from", url, row["request"], *shows)
        missing = headrace("explain", "--from", f"{url}/", "nobody", *shows)
        elsewhere = headrace("explain", "--from", f"{url}/metrics", "x", *shows)
        both = headrace("explain", "--from", url, "x", "--id", "y")
        refused = headrace("explain", "--from", url, row["request"])

    assert done.code == 0
    assert done.out.startswith(f"{row['request']}  model m")
    assert "answered    404 unknown-model" in done.out
    assert (missing.code, missing.err) == (
        1,
        f"error: `{url}/` remembers no request whose id begins with `nobody`\n",
    )
    assert elsewhere.code == 1
    assert "--from: give the request's id beside it, and nothing else" in both.err
    assert (refused.code, "give its file by `--token-file`" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1", "cannot read `http://127.0.0.1:1`"),
        ("file:///etc", "write e.g. `http://127.0.0.1:9090`"),
        ("127.0.0.1:9090", "write e.g. `http://127.0.0.1:9090`"),
    ],
)
def test_a_host_that_cannot_be_asked_is_an_error_that_says_why(url: str, says: str) -> None:
    done = headrace("explain", "--from", url, "x")

    assert done.code == 2
    assert f"--from: cannot read `{url}`" in done.err
    assert says in done.err


async def ask(address: str) -> None:
    """Make one exchange, which is turned away."""
    async with client(address) as open_stream:
        stream = open_stream()
        await stream.write(head())
        await stream.write(body(CHAT, end_of_stream=True))
        assert (await reply(stream)).HasField("immediate_response")
