"""The matrix of what is screened: every API, both ways, however the bytes come."""
