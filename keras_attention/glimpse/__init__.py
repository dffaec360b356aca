"""Layers that look into an image: where, and what is there."""
