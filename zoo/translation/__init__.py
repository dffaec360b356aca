"""Translation: a text in, the same in another language out."""
