"""What servers publish of their KV caches: read, followed, and matched with what we sent them."""
