"""Roles: one process behind several doors, each with the chain of its place in a gateway."""
