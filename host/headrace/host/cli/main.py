"""The entry point `headrace` and its commands."""

import sys

import typer

from headrace.host.cli.cel import cel
from headrace.host.cli.check import check
from headrace.host.cli.demo import demo
from headrace.host.cli.diff import diff
from headrace.host.cli.doc import doc
from headrace.host.cli.envoy_config import envoy_config
from headrace.host.cli.eval import eval_
from headrace.host.cli.explain import explain
from headrace.host.cli.explain_error import explain_error
from headrace.host.cli.fmt import fmt
from headrace.host.cli.import_ import import_
from headrace.host.cli.lsp import lsp
from headrace.host.cli.model_server import model_server
from headrace.host.cli.rollback import rollback
from headrace.host.cli.serve import serve
from headrace.host.cli.show import show
from headrace.host.cli.test import run_tests
from headrace.host.cli.usage import run
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
    app.command("explain-error")(explain_error)
    app.command()(fmt)
    app.command()(lsp)
    app.command("test")(run_tests)
    app.command()(explain)
    app.command("eval")(eval_)
    app.command()(cel)
    app.command()(diff)
    app.command()(show)
    app.command()(doc)
    app.command("envoy-config")(envoy_config)
    app.command("import")(import_)
    app.command()(serve)
    app.command()(rollback)
    app.command("model-server")(model_server)
    app.command()(version)
    return app


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(build_app(), sys.argv[1:]))


if __name__ == "__main__":
    main()
