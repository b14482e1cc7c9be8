"""The core of the host: one HTTP exchange as ext_proc shows it. No gRPC, no asyncio, no clock."""
