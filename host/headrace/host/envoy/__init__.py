"""Envoy as the client of this host: the bootstrap a policy needs, and the binary to run it with."""
