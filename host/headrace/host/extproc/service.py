"""The name of the service that every transport serves."""

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
