"""Runs the `test` blocks of policies: the real stages in the real chain, at a time that stands."""
