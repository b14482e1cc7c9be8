"""Local servers that answer as the providers of guards do: by patterns instead of models.

For the demo, for trying a policy and for tests. What they find is fixed and small; how they
say it, and how they fail, is what the real ones do.
"""
