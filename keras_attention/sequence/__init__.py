"""Attention over a sequence: a query reads, or a learned one."""
