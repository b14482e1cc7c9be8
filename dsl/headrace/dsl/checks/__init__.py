"""From declarations to a program: names, bounds, types, one module per kind of block."""
