"""The messages of ext_proc and of gRPC health, as far as this host uses them.

The `.proto` files keep the package names, field names and field numbers of their
originals and add nothing, so that the bytes are the same. `make protos` writes the rest.
"""
