"""The language: .sched text in, immutable program or diagnostics out.

Imports nothing else of this project, opens no file but its own grammar, reads no clock.
"""
