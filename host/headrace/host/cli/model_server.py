"""`headrace model-server`: a simulated model server that speaks the OpenAI API."""

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.host.cli.ending import asked_to_end
from headrace.host.cli.flags import Mistakes, fail, flag, reason

if TYPE_CHECKING:
    from headrace.host.sim.options import ModelServerOptions

NAMES_MAX = 64
CANNOT_LISTEN = 1  # the exit code for what the machine forbids, not the command line
TIME_SCALE_MAX = 10_000
MaxNumSeqs = Annotated[
    int, flag("--max-num-seqs", "Requests in one batch; 0: the profile's.", metavar="N")
]
MaxLoras = Annotated[int, flag("--max-loras", "Different adapters in one batch.", metavar="N")]
KvEventsPort = Annotated[
    int, flag("--kv-events-port", "Publish KV events there; 0: do not.", metavar="PORT")
]
KvReplayPort = Annotated[
    int, flag("--kv-replay-port", "And tell them again there; 0: do not.", metavar="PORT")
]


def model_server(
    model: Annotated[
        str, flag("--model", "The model it serves; aliases: separated by commas.", metavar="NAME")
    ],
    listen: Annotated[
        str, flag("--listen", "Where it listens; port 0 takes a free one.", metavar="IP:PORT")
    ] = "127.0.0.1:8001",
    profile: Annotated[
        str, flag("--profile", "Whose speed it imitates; the default is the first known.")
    ] = "",
    adapters: Annotated[
        str, flag("--adapters", "LoRA adapters loaded from the start.", metavar="A,B")
    ] = "",
    time_scale: Annotated[
        float, flag("--time-scale", "How many times faster than life it runs.", metavar="K")
    ] = 20.0,
    kv_blocks: Annotated[
        int, flag("--kv-blocks", "KV cache blocks of 16 tokens; 0: the profile's.", metavar="N")
    ] = 0,
    max_num_seqs: MaxNumSeqs = 0,
    metrics: Annotated[str, flag("--metrics", "The dialect of its metrics page.")] = "vllm",
    max_loras: MaxLoras = 4,
    kv_events_port: KvEventsPort = 0,
    kv_replay_port: KvReplayPort = 0,
) -> None:
    """Run one simulated replica of a model server: batching, prefix cache, KV cache, /metrics.

    headrace model-server --model gemma --listen 127.0.0.1:8001
    """
    from headrace.dsl.dialects.dialect import METRIC_DIALECTS
    from headrace.host.sim.options import ModelServerOptions
    from headrace.host.sim.profile import profile_names

    mistakes = Mistakes()
    known = profile_names()
    address = mistakes.address("--listen", listen, free_port=True)
    models, loras = _names(model), _names(adapters)
    _check_names(mistakes, models, loras)
    mistakes.one_of("--profile", profile or known[0], known)
    mistakes.one_of("--metrics", metrics, METRIC_DIALECTS)
    mistakes.bounded("--time-scale", time_scale, 0.01, TIME_SCALE_MAX)
    _check_sizes(mistakes, kv_blocks, max_num_seqs, max_loras)
    _check_ports(mistakes, kv_events_port, kv_replay_port)
    mistakes.stop()
    options = ModelServerOptions(
        host=address.host,
        port=address.port,
        models=models,
        adapters=loras,
        profile=profile or known[0],
        time_scale=time_scale,
        kv_blocks=kv_blocks or None,
        max_num_seqs=max_num_seqs or None,
        max_loras=max_loras,
        kv_events_port=kv_events_port or None,
        kv_replay_port=kv_replay_port or None,
        metrics=metrics,
    )
    _run(options, str(address))


def _run(options: "ModelServerOptions", address: str) -> None:
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        fail(f"--listen: cannot listen on `{address}`: {reason(error)}", CANNOT_LISTEN)


def _check_sizes(mistakes: Mistakes, kv_blocks: int, max_num_seqs: int, max_loras: int) -> None:
    mistakes.bounded("--kv-blocks", kv_blocks, 0, 10_000_000)
    mistakes.bounded("--max-num-seqs", max_num_seqs, 0, 65_536)
    mistakes.bounded("--max-loras", max_loras, 1, NAMES_MAX)


def _check_ports(mistakes: Mistakes, events: int, replay: int) -> None:
    mistakes.bounded("--kv-events-port", events, 0, 65_535)
    mistakes.bounded("--kv-replay-port", replay, 0, 65_535)
    if replay and not events:
        mistakes.add("--kv-replay-port: nothing to tell again, give --kv-events-port too")
    if events and find_spec("zmq") is None:
        mistakes.add("--kv-events-port: needs pyzmq, install `headrace[kv-events]`")


def _check_names(mistakes: Mistakes, models: Sequence[str], adapters: Sequence[str]) -> None:
    if not models:
        mistakes.add("--model: name at least one model, e.g. `--model gemma`")
    if len(models) + len(adapters) > NAMES_MAX:
        mistakes.add(f"--model and --adapters: {NAMES_MAX} names at most")
    for name in sorted({*models} & {*adapters}):
        mistakes.add(f"--adapters: `{name}` is the model's name, name each only once")


async def _serve(options: "ModelServerOptions") -> None:
    """Serve until a signal asks to end, or the simulation fails."""
    from headrace.host.sim.server import ModelServer

    with asked_to_end() as asked:
        async with ModelServer(options) as server:
            typer.echo(f"ready listen={server.address} model={options.models[0]}")
            running = asyncio.ensure_future(server.run())
            waiting = asyncio.ensure_future(asked.wait())
            try:
                await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
            if running.done():
                running.result()
            running.cancel()


def _names(text: str) -> tuple[str, ...]:
    """Return the names in *text*, each once, in order."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
