"""The demo: a real Envoy, simulated model servers, the host, and load through all of it."""
