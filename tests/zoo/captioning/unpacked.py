"""A decoder of one tensor, as the contract of decoders hands memories over."""

import keras


class Unpacked(keras.layers.Layer):
    """Takes its memory as a dict of one tensor, `places`."""

    length = None

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder
        self.built = True

    def call(self, target_ids, memory):
        return self.decoder(target_ids, memory["places"])

    def begin(self, memory):
        return self.decoder.begin(memory["places"])

    def step(self, last, index, state, memory):
        return self.decoder.step(last, index, state, memory["places"])
