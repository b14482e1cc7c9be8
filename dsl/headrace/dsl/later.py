"""What the language will have and does not have yet, and what to write until then.

Nothing here is ever accepted silently: a setting that cannot take effect is an error.
"""

LATER_BLOCKS = {
    "import": "give all files to the command: `headrace check a.sched b.sched`",
    "override": "edit the block itself; each name is defined once",
    "cost": "write a `scorer`: a ratio from 0 to 1 where higher is better",
    "objective": "set `priority` in the `model` or in a `class`",
    "stage": "install the package that has the stage and name it in a `chain`",
    "quota": "shed with an `overload` block",
    "trace": "every exchange is traced; set the sampling with `--trace-sample` or in the collector",
    "test": "put the case into a test of your own; `headrace check` checks types and names",
}
LATER_SETTINGS = {
    ("pool", "inferencepool"): 'list the addresses: `endpoints "10.0.0.1:8000"`',
    ("pool", "select"): 'list the addresses: `endpoints "10.0.0.1:8000"`',
    ("pool", "port"): 'write the port with each address: `endpoints "10.0.0.1:8000"`',
    ("pool", "extends"): "repeat the settings in this pool",
    ("model", "extends"): "repeat the settings in this model",
    ("model", "as"): "quote the name wherever it is used",
    ("model", "mirror"): "send a small share there: `route 95% to a, 5% to b`",
    ("model", "objective"): "set `priority`",
    ("model", "when"): "define a `class` and route by it later",
    ("class", "fairness"): "set `priority` and shed by it in an `overload`",
    ("class", "route"): "set the `route` in the `model`",
    ("profile", "minimize"): "write scorers, where higher is better: `score 2 * kv_free`",
    ("profile", "least"): "`pick max` with scorers where higher is better",
    ("profile", "use"): "write the scorer as an expression",
    ("overload", "queue"): "only `shed` exists: requests are let through or turned away",
    ("guard", "template"): 'screen with `patterns "..."`',
    ("guard", "inspect"): "prompts are what is screened",
    ("guard", "timeout"): "patterns are screened in linear time, without a wait",
    ("guard", "error"): "patterns cannot fail; only `on match` exists",
    ("guard", "allow"): "`on match log` lets the prompt pass and records the finding",
}
LATER_FUNCTIONS = {
    "bool": "compare with a value: `x == 1`",
    "bytes": "compare strings with each other",
    "duration": "write the duration itself: `2s`",
    "dyn": "every value has its type here",
    "timestamp": "only durations exist: `endpoint.age < 2s`",
    "type": "types are checked when the policy loads",
    "uint": "use `int`",
}
LATER_FIELDS = {
    ("endpoint", "metric"): "use the named values: `endpoint.queue`, `endpoint.kv_cache`",
    ("endpoint", "predicted_ttft"): "use `endpoint.queue` and `endpoint.prefix_match`",
    ("endpoint", "decode_delay"): "use `endpoint.running`",
    ("pool", "max"): "use the mean: `pool.queue`",
    ("pool", "p90"): "use the mean: `pool.kv_cache`",
}
LATER_ROOTS = {
    "now": "use `endpoint.age`",
    "model": "use `request.model` and `request.priority`",
    "decision": "decisions are traced and counted without it",
    "response": "responses are traced and counted without it",
}
