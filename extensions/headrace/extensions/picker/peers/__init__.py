"""What several hosts tell each other of one pool: what is open where, prompts sent, sessions bound.

Pure: what is told is a value, who carries it is the host's business. All of it may come late,
twice, in any order, or never: every word is a whole, a later one replaces it, and it is
forgotten when its host has not said it again for `SAID_S`.
"""
