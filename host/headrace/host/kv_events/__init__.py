"""Listens to what model servers publish of their KV caches, over ZeroMQ."""
