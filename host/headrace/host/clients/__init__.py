"""What performs the effects of guards: calls of providers, in this process, over the network."""
