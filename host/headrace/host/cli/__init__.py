"""The command line: reads flags, calls the host, prints. Decides nothing."""
