"""What the outside learns of exchanges: spans, metrics and log lines. Decides nothing."""
