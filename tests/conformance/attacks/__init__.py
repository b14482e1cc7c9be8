"""Peers that mean harm: the host stays small, quick and there for others."""
