"""Clients of other makes."""
