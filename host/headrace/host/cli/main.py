"""The entry point `headrace` and its commands."""

import gc
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

import typer

from headrace.host.cli.usage import run

# The commands in the order in which one meets them, each with its module and its function.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "check": ("check", "check"),
    "explain-error": ("explain_error", "explain_error"),
    "fmt": ("fmt", "fmt"),
    "lsp": ("lsp", "lsp"),
    "test": ("test", "run_tests"),
    "explain": ("explain", "explain"),
    "eval": ("eval", "eval_"),
    "cel": ("cel", "cel"),
    "diff": ("diff", "diff"),
    "show": ("show", "show"),
    "doc": ("doc", "doc"),
    "envoy-config": ("envoy_config", "envoy_config"),
    "import": ("import_", "import_"),
    "serve": ("serve", "serve"),
    "rollback": ("rollback", "rollback"),
    "model-server": ("model_server", "model_server"),
    "provider": ("provider", "provider"),
    "version": ("version", "version"),
}
# Hardly anything of what a command imports and compiles is garbage, and looking for it at every
# 700th object takes a tenth of the time until a host is ready.
GC_THRESHOLDS = (50_000, 20, 100)
ABOUT = """Inference scheduling for Envoy, written as policy.

**Try it:** `headrace demo` runs Envoy, six model servers and a policy for a minute.

**Use it:**

1. `headrace check my.sched` finds what is wrong with a policy.
2. `headrace envoy-config my.sched > envoy.yaml` writes the Envoy it needs.
3. `headrace serve my.sched` decides for that Envoy.

Every flag is also an environment variable: `--metrics-listen` is `HEADRACE_METRICS_LISTEN`.
`headrace --install-completion` teaches your shell.
"""


def build_app(only: str = "") -> typer.Typer:
    """Return the command line, its commands in the order in which one meets them.

    only  the command that will be run, if that is known: what the others import takes longer
          than most of them run
    """
    app = typer.Typer(
        name="headrace",
        help=ABOUT,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    # Two at least: of a single one typer makes the whole command line.
    for name in dict.fromkeys((only, "lsp", "version")) if only in COMMANDS else COMMANDS:
        app.command(name)(_loaded(name))
    return app


def _loaded(name: str) -> Callable[..., None]:
    module, function = COMMANDS[name]
    # A function of ours, by a name from the table above.
    return cast(
        Callable[..., None], getattr(import_module(f"headrace.host.cli.{module}"), function)
    )


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(*GC_THRESHOLDS)
    typed = sys.argv[1:]
    only = "version" if typed == ["--version"] else "".join(typed[:1])
    sys.exit(run(build_app(only), typed))


if __name__ == "__main__":
    main()
