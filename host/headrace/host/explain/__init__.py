"""Why: the value of every part of an expression, and the page of a decision."""
