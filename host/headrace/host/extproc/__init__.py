"""The wire: protobuf to parts and back, and one module per transport."""
