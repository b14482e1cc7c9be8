"""The entry point `headrace` and its commands."""

import typer

from headrace.host.cli.check import check
from headrace.host.cli.demo import demo
from headrace.host.cli.envoy_config import envoy_config
from headrace.host.cli.model_server import model_server
from headrace.host.cli.serve import serve
from headrace.host.cli.version import version

ABOUT = """Inference scheduling for Envoy, written as policy.

**Try it:** `headrace demo` runs Envoy, six model servers and a policy for a minute.

**Use it:**

1. `headrace check my.sched` finds what is wrong with a policy.
2. `headrace envoy-config my.sched > envoy.yaml` writes the Envoy it needs.
3. `headrace serve my.sched` decides for that Envoy.

Every flag is also an environment variable: `--metrics-listen` is `HEADRACE_METRICS_LISTEN`.
`headrace --install-completion` teaches your shell.
"""


def build_app() -> typer.Typer:
    """Return the command line, its commands in the order in which one meets them."""
    app = typer.Typer(
        name="headrace",
        help=ABOUT,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.command()(demo)
    app.command()(check)
    app.command("envoy-config")(envoy_config)
    app.command()(serve)
    app.command("model-server")(model_server)
    app.command()(version)
    return app


def main() -> None:
    """Run the command line of this process."""
    build_app()()


if __name__ == "__main__":
    main()
