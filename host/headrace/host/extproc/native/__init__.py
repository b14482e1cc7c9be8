"""The native transport: HTTP/2 and gRPC of our own, only what ext_proc and its health need."""
