"""What a network says when it is told the right words before each word."""

import numpy as np
from keras import ops

from keras_attention.looking import attention_model
from zoo.answering import one_or_all
from zoo.data.examples import at
from zoo.losses import sentence_crossentropy


def taught(task, data, batch_size=250):
    """How well each text is told, and where it looked for each word.

    Args:
        task: A `zoo.task.Task` whose output is words.
        data: What `select` of its output gave.
        batch_size: Positive integer.

    Returns:
        `(losses, maps)`: float32 `(texts,)`, `-log p` of each text; and the
        weights of the decoder, `(texts, T, ...)`, or `None` if it has none.
    """
    read = task.input.reader(data)
    places, told = task.output.told(data)
    words, _ = task.output.teach(data)
    network, looks = _network(task)
    losses, maps = [], []
    for start in range(0, len(places), batch_size):
        rows = np.arange(start, min(start + batch_size, len(places)))
        inputs = {**read(places[rows], 0, 0), **at(told, rows)}
        said = network.predict_on_batch(one_or_all(inputs))
        if looks:
            said, weights = said
            maps.append(weights["decoder"])
        losses.append(
            ops.convert_to_numpy(sentence_crossentropy(words[rows], said))
        )
    return np.concatenate(losses), np.concatenate(maps) if looks else None


def _network(task):
    """What tells texts, and whether it gives the decoder's weights too."""
    if "taught" not in task.graphs:
        try:
            network = attention_model(task.model, return_outputs=True), True
        except ValueError:  # it has no attention
            network = task.model, False
        task.graphs["taught"] = network
    return task.graphs["taught"]
