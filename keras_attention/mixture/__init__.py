"""Parallel branches, weighed and put together."""
