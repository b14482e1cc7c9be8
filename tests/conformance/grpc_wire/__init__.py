"""gRPC over HTTP/2, byte by byte."""
