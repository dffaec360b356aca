"""Language modelling: the beginning of a text in, words that go on out."""
