"""Cells for `keras.layers.RNN` that attend to their own past."""
