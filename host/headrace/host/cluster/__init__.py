"""Kubernetes: who is in a pool, which objectives there are, and what models are rewritten to.

The only package that knows the library `kubernetes`, and of it the credentials only.
"""
