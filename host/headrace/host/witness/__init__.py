"""Look for a request that two policies decide differently."""
