"""The answer of a task as one Keras layer, which all that answers shares."""

import keras

from keras_attention.looking import attention_model


class Answering(keras.layers.Layer):
    """The network, and what the task's output makes of what it said.

    `predict`, `look`, `evaluate`, the export and its proof all run this one
    layer. Inside a layer, loops and what they close over are plain tensors, on
    every backend; a functional model could not hold them.

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
        if attention:
            network = attention_model(network, return_outputs=True)
        self.network = network
        self.final = output.final
        self.attention = attention

    def call(self, inputs):
        said = self.network(one_or_all(inputs), training=False)
        said, maps = said if self.attention else (said, {})
        return self.final(said), maps


def one_or_all(inputs):
    """What a network reads, of its inputs by name.

    Args:
        inputs: Dict from name to anything.

    Returns:
        The dict; its value, where there is but one.
    """
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))
