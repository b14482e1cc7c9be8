"""The state bus: carries what hosts tell each other of what is open, cached and bound.

What is said and what it means is in `extensions/picker/peers`; here is who carries it.
"""
