"""Model servers for demo and tests: a pure machine of one vLLM replica, and its HTTP front.

`profile`, `options`, `driver`, `service`, `generate`, `admin` and `server` are the edge
(package data, asyncio, aiohttp, the clock); every other module is pure.
"""
