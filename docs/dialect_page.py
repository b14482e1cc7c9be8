"""The page of the dialects of metrics, from their files."""

from docs.tables import code, prose, table

from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.dialects.dialect import GPU_SOURCES, METRIC_DIALECTS, Dialect, Metric, Places

_VALUES = (
    ("queue", "waiting"),
    ("running", "running"),
    ("kv_cache", "kv_cache"),
    ("gpu", "gpu"),
    ("block_size", "block_size"),
    ("num_blocks", "num_blocks"),
    ("started", "started"),
    ("progress", "progress"),
)


def dialects() -> str:
    """Return the page of the built-in dialects."""
    return (
        "# Dialects of metrics\n\n"
        + prose(
            "What `metrics NAME` of a pool knows of its servers. Each is a file of the form that "
            "[write a dialect](../howto/write-a-dialect.md) describes, in "
            "`dsl/headrace/dsl/dialects/files`. Where several places are named, the first that "
            "the page has counts.",
            "A value that a page lacks, or that is not finite, negative, out of range or on the "
            "page twice, is unknown: the endpoint keeps the last one with its age, and its error "
            "says why.",
        )
        + "".join(_section(built_in(name)) for name in METRIC_DIALECTS)
        + "\n## Sources of `gpu`\n\n"
        + prose("What `gpu from NAME` reads on the host of each endpoint, every two seconds.")
        + table(
            ("source", "page", "metric"),
            [(code(d.name), _page(d), _places(d.gpu)) for d in map(built_in, GPU_SOURCES)],
        )
    )


def _section(dialect: Dialect) -> str:
    rows = [
        (code(name), _places(getattr(dialect, field)))
        for name, field in _VALUES
        if getattr(dialect, field)
    ]
    if dialect.adapters:
        found = dialect.adapters
        labels = ", ".join(code(n) for n in (found.running, found.waiting, found.adapters_max))
        rows.append(("adapters", f"{code(found.name.decode())}, labels {labels}"))
    models = code(dialect.models) if dialect.models else "none"
    head = f"Page: {_page(dialect)}. List of models: {models}."
    return f"\n## `{dialect.name}`\n\n{prose(head)}{table(('value', 'where'), rows)}"


def _page(dialect: Dialect) -> str:
    port = f" at port {dialect.port}" if dialect.port else ""
    return f"{code(dialect.path)}{port}"


def _places(places: Places) -> str:
    return "; ".join(_place(metric) for metric in places)


def _place(metric: Metric) -> str:
    where = ",".join(f'{name}="{value}"' for name, value in metric.where)
    text = code(metric.name.decode() + (f"{{{where}}}" if where else ""))
    if metric.label:
        text += f", label {code(metric.label)}"
    return f"{text} ({metric.unit.value}, {metric.combine.value})"
