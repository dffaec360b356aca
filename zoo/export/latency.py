"""How long an export takes to answer, in a process that has nothing else.

`python -P latency.py FORMAT EXPORT INPUTS REPEATS TIMES`: an `.npz` of the
inputs of `from_tensors`, how often to ask, and the JSON file of the seconds
that each answer took. `zoo demo` runs it.
"""

import json
import sys
import time

import numpy as np


def _saved_model(path, inputs):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    run = loaded.signatures["from_tensors"]
    tensors = {name: tf.constant(value) for name, value in inputs.items()}

    def answer():
        for value in run(**tensors).values():
            value.numpy()

    # The function does not keep alive what its variables belong to.
    answer.loaded = loaded
    return answer


def _litert(path, inputs):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path).get_signature_runner("from_tensors")
    return lambda: run(**inputs)


if __name__ == "__main__":
    kind, export, asked, repeats, times = sys.argv[1:]
    with np.load(asked) as arrays:
        inputs = dict(arrays)
    answer = {"saved_model": _saved_model, "litert": _litert}[kind](
        export, inputs
    )
    for _ in range(5):  # the first ones prepare
        answer()
    seconds = []
    for _ in range(int(repeats)):
        started = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - started)
    with open(times, "w") as file:
        json.dump(seconds, file)
