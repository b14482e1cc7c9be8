"""Waiting for one's turn: who waits, who goes next, and for how long. Pure; time is an argument."""
