"""Words that are reserved for what the language does not have yet, and what to write until then.

Using one is an error that says so. What the language has and no host performs yet is
another matter: see `headrace.dsl.unperformed`.
"""

LATER_BLOCKS = {"quota": "shed with an `overload` block"}
LATER_SETTINGS = {
    ("model", "when"): "define a `class` and give it a `profile`",
    ("class", "route"): "set the `route` in the `model`",
}
