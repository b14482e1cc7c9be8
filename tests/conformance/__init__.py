"""HTTP/2, HPACK and gRPC as the RFCs have them, asked of a listener over real sockets."""
