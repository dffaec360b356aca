"""Captioning: an image in, words out."""
