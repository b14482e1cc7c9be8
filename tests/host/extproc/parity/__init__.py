"""The message order of llm-d's router, held by a whole host: its cases, in words of our own."""
