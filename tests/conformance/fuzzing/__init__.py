"""Peers without a plan."""
