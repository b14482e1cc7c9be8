"""The expressions: a typed, total subset of CEL, checked at load and compiled to Python.

Owns types, ranges, the checker, the emitter and what generated code calls at run time.
Knows nothing of blocks, pools or profiles.
"""
