"""What the language promises of any bytes, and the fuzzers that try to break it."""
