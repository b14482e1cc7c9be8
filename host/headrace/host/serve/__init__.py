"""The composition root of `headrace serve`: the one place that joins stages, wire and world."""
