"""The black-box rig: a real Envoy, a real host process, raw clients and upstreams on loopback."""
