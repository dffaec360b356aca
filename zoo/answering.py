"""The answer of a task as one Keras layer, which all that answers shares."""

import keras

from keras_attention.looking import attention_model
from zoo.decoding import beam_search


class Answering(keras.layers.Layer):
    """The network, and what the task's output makes of what it said.

    `predict`, `look`, `evaluate`, the export and its proof all run this one
    layer. Where the output is words, the network's `encoder` is asked once and
    its `decoder` word by word. Inside a layer, loops and what they close over
    are plain tensors, on every backend; a functional model could not hold them.

    Args:
        network: `keras.Model`.
        output: An output, as those of `zoo.outputs`.
        attention: Boolean. Whether to give the attention maps too.

    Call arguments:
        inputs: Dict of tensors, as an input of `zoo.inputs` names them.

    Returns:
        `(outputs, maps)`: the final tensors by name, and the maps by their
        layers' names; without `attention` there are none.

    Raises:
        ValueError: If attention is asked for, and the network has none.
    """

    def __init__(self, network, output, attention=False):
        super().__init__(name="answering", dtype="float32", autocast=False)
        if attention and not output.decoding:
            network = attention_model(network, return_outputs=True)
        self.network = network
        self.final = output.final
        self.decoding = output.decoding
        self.attention = attention

    def call(self, inputs):
        if self.decoding:
            return self._decoded(inputs)
        said = self.network(one_or_all(inputs), training=False)
        said, maps = said if self.attention else (said, {})
        return self.final(said), maps

    def _decoded(self, inputs):
        """Word after word, each by what was said before it."""
        encoder, decoder = map(self.network.get_layer, ("encoder", "decoder"))
        memory = encoder(one_or_all(inputs), training=False)
        answers, maps = beam_search(
            decoder, memory, **self.decoding, with_maps=self.attention
        )
        if self.attention and not maps:
            raise ValueError(
                "There must be attention to look at. "
                f"Received: decoder={decoder!r}, whose steps have no maps"
            )
        return self.final(answers), maps


def one_or_all(inputs):
    """What a network reads, of its inputs by name.

    Args:
        inputs: Dict from name to anything.

    Returns:
        The dict; its value, where there is but one.
    """
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))
