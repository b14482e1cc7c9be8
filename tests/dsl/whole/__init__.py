"""A policy of two files that has everything the language has."""
