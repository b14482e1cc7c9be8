"""Hosts: they own I/O, time and life cycle, and run stages. `sim` is the second host."""
