"""The language server: what an editor asks about a policy while it is written."""
