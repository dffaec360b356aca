"""Runs an exported file with nothing of this package, for `zoo.export.parity`.

`python -P fresh.py FORMAT EXPORT REQUESTS ANSWERS`: the last two are pickles, a
list of pairs (signature, inputs) and the list of the outputs.
"""

import pickle
import sys


def _saved_model(path, requests):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    for signature, inputs in requests:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = loaded.signatures[signature](**tensors)
        yield {name: value.numpy() for name, value in outputs.items()}


def _litert(path, requests):
    from ai_edge_litert.interpreter import Interpreter

    for signature, inputs in requests:
        run = Interpreter(path).get_signature_runner(signature)
        yield run(**inputs)


if __name__ == "__main__":
    kind, export, requests, answers = sys.argv[1:]
    with open(requests, "rb") as file:
        asked = pickle.load(file)
    outputs = list(
        {"saved_model": _saved_model, "litert": _litert}[kind](export, asked)
    )
    ours = {"zoo", "keras_attention"} & set(sys.modules)
    if kind == "litert":
        ours |= {"tensorflow", "keras"} & set(sys.modules)
    if ours:
        raise RuntimeError(f"An export must run without {sorted(ours)}.")
    with open(answers, "wb") as file:
        pickle.dump(outputs, file)
