"""The generated pages but the command line's, each from its registry."""

from pathlib import Path

from docs.reason_notes import NOTES
from docs.tables import code, prose, table

from headrace.dsl import unperformed
from headrace.dsl import vocabulary as words
from headrace.dsl.cel.calls import FUNCTIONS, METHODS
from headrace.dsl.cel.typed import Variable
from headrace.dsl.syntax import later
from headrace.extensions.control import CONFORMANCE, CONTROL
from headrace.extensions.reasons import DROPPED, DROPPED_HEADER, Reason
from headrace.host.exchange.order import NEXT, Stand
from headrace.host.exchange.part import Kind
from headrace.host.telemetry.catalogue import CATALOGUE
from headrace.host.telemetry.log import FIELDS
from headrace.host.telemetry.metric import Metric

TESTS = Path(__file__).parents[1] / "tests"
SPANS = TESTS / "host" / "telemetry" / "told" / "spans.txt"


def reasons() -> str:
    """Return the page on why an answer was ours. A reason without a note fails this."""
    rows = [(code(r.word), str(r.status), code(r.error_type), *NOTES[r]) for r in Reason]
    return (
        "# Reasons\n\n"
        + prose(
            "Why Headrace answered instead of the upstream. The word is at once the "
            "`x-headrace-reason` response header, the label `reason` of `headrace_requests_total`, "
            "the span attribute `headrace.reason` and the log field `reason`. A response without "
            "the header is the upstream's, or Envoy's own.",
            "The body is an OpenAI error object whose `type` is below and whose `code` is the "
            "word, but for `unknown-model`, where it is OpenAI's `model_not_found`. A policy may "
            "give `shed` and `safety-blocked` another status.",
        )
        + table(("reason", "status", "error type", "what happened", "who cures it"), rows)
        + "\n## In the words of llm-d's router\n\n"
        + prose(f"Beside ours, `{DROPPED_HEADER}` says what its clients look for.")
        + table(("reason", "drop reason"), [(code(r.word), code(w)) for r, w in DROPPED.items()])
    )


def metrics() -> str:
    """Return the page on metrics."""
    rows = [
        (code(m.name), m.kind.value, ", ".join(code(n) for n in m.labels), m.help)
        for m in CATALOGUE
    ]
    buckets = [(code(m.name), _buckets(m)) for m in CATALOGUE if m.buckets]
    return (
        "# Metrics\n\n"
        + prose(
            "At `/metrics` of `--metrics-listen`: Prometheus text, or OpenMetrics if asked for. "
            "Label values are bounded: models by the policy's names (`other`, `none` beside), "
            "pools, endpoints and classes by the policy, reasons by [the closed list](reasons.md)."
        )
        + table(("metric", "kind", "labels", "what"), rows)
        + "\nUpper bounds of the histograms' buckets, in seconds:\n\n"
        + table(("histogram", "buckets"), buckets)
    )


def _buckets(metric: Metric) -> str:
    return ", ".join(f"{bound:g}" for bound in metric.buckets)


def log() -> str:
    """Return the page on the log line."""
    return (
        "# The log\n\n"
        + prose(
            "One JSON object per exchange, on standard error, when the exchange ends; other lines "
            "there are words, about the process. `--log-level warning` keeps the lines of what was "
            "turned away or failed. Never a prompt, a body or a query."
        )
        + table(("field", "what"), [(code(name), what) for name, what in FIELDS.items()])
    )


def spans() -> str:
    """Return the page on spans, with one whole trace as the tests expect it."""
    _, _, told = SPANS.read_text().partition("----\n")
    return (
        "# Spans\n\n"
        + prose(
            "With `--otlp URL`, spans go there by OTLP/HTTP: one trace per exchange, in the "
            "caller's trace if it sent a `traceparent`. The span of the exchange is named by "
            "operation and model; each run of a stage's hook is a child, and what the stage "
            "decided is in its attributes. The pick is whole: `headrace.decision.*` says what was "
            "chosen by which rules on which lines, and one event `endpoint.score` per endpoint has "
            "every number.",
            "Names are OpenTelemetry's for HTTP and generative AI (`http.*`, `url.*`, `gen_ai.*`), "
            "else `headrace.*`. `error.type` is the [reason](reasons.md), or the upstream's "
            "status. Texts are cut at 1,024 characters, rows at 256. Never a prompt or a body.",
            "`headrace.endpoint` is where the request was served, as far as the proxy tells; "
            "`headrace.prefill` and `headrace.encode` say who was picked beside it, where somebody "
            "was.",
            "A policy's `attribute NAME` is `headrace.attribute.NAME` on the span of the exchange. "
            "`headrace.trace.always` is the condition that kept what was not sampled, "
            "`headrace.trace.errors` names the rules of `trace` that failed.",
            "A trace as the tests expect it:",
        )
        + f"```text\n{told}```\n"
    )


def vocabulary() -> str:
    """Return the page on the names that expressions may read."""
    rows = [(code(v.name), _type(v), v.binding.value, v.doc) for v in words.VARIABLES]
    return "".join(
        (
            "# Vocabulary\n\n",
            prose(
                "The names an expression may read. Units are checked: `ratio` is a double from 0 "
                "to 1, `count`, `tokens` and `bytes` are ints, and none of them mixes with "
                "another. What may be missing is read under `has(...)` only."
            ),
            table(("name", "type", "changes", "what"), rows),
            "\n`request.header(name)` is the value of a header, `request.cookie(name)` that of a "
            "cookie; both are empty if it is absent.\n",
            _where(),
            _functions(),
            _control(),
            _later(),
        )
    )


def _type(variable: Variable) -> str:
    return f"{variable.type}, may be missing" if variable.optional else str(variable.type)


def _where() -> str:
    rows = [
        (
            "`filter`, `scorer`, `cost`, `let`",
            "`request` `model` `now` `pool` `endpoint` `candidates`",
        ),
        (
            "`ties by`, `also pick ... when`, `refuse when`",
            "`request` `model` `now` `pool` `endpoint`",
        ),
        ("`overload`, `shed`, `chance`, `queue by`, `fair by`", "`request` `model` `now` `pool`"),
        ("`class`, `guard`, `trust`", "`request` `model` `now`"),
        ("`trace`, `expect`", "`request` `model` `decision` `response`"),
    ]
    return "\n## What is known where\n\n" + table(("in", "known"), rows)


def _functions() -> str:
    functions = ", ".join(code(n) for n in FUNCTIONS)
    methods = ", ".join(code(n) for n in METHODS)
    stages = ", ".join(code(n) for n in sorted(words.STAGES))
    dialects = ", ".join(code(n) for n in words.METRIC_DIALECTS)
    return (
        f"\n## Functions\n\nFunctions: {functions}.\n\nMethods and macros: {methods}.\n\n"
        "The pattern of `matches` is a literal, in RE2's syntax.\n"
        f"\n## Other words\n\nStages of our own: {stages}; what is installed beside adds to "
        f"them.\n\nDialects of `metrics`: {dialects}.\n"
    )


def _control() -> str:
    operators = {None: "nothing", CONFORMANCE: "nothing; `serve --conformance` does"}
    rows = [(code(n), operators.get(by) or code(by or "")) for n, by in CONTROL.items()]
    return (
        "\n## Control headers\n\n"
        + prose(
            "Taken out of every request before any stage runs, so that no client steers the "
            "gateway; a `trust` statement of that name lets one through. All of `x-headrace-*` is "
            "taken out too."
        )
        + table(("header", "let through by `trust`"), rows)
    )


def _later() -> str:
    blocks = [(code(name), cure) for name, cure in later.LATER_BLOCKS.items()]
    settings = [(f"`{s}` in `{b}`", cure) for (b, s), cure in later.LATER_SETTINGS.items()]
    return (
        "\n## Not yet\n\n"
        + prose(
            "Words that a later edition may have. Using one is the error "
            "[S108](errors/S108.md), never a silent nothing; write this instead."
        )
        + table(("word", "until then"), [*blocks, *settings])
        + _unperformed()
    )


def _unperformed() -> str:
    statements = unperformed.STATEMENTS.items()
    rows = [(f"{what} in `{key.partition('.')[0]}`", cure) for key, (what, cure) in statements]
    return (
        "\n## Understood, and not performed yet\n\n"
        + prose(
            "A policy that says one of these compiles. `headrace check` warns of it, and what "
            "would have to perform it refuses to start."
        )
        + table(("what", "until then"), rows)
    )


def order() -> str:
    """Return the table of which part may follow which."""
    rows = [(stand.value, *(_step(stand, kind) for kind in Kind)) for stand in Stand]
    return table(("stand", *(kind.value for kind in Kind)), rows)


def _step(stand: Stand, kind: Kind) -> str:
    steps = NEXT[stand].get(kind)
    if steps is None:
        return "fault"
    if stand is Stand.ENDED:
        return "ignored"
    ends, more = (step.value for step in steps)
    return f"→ {ends}" if ends == more else f"→ {more}; with end_of_stream → {ends}"
