"""Runs an exported file with nothing of this package, for `zoo.export.parity`.

`python -P fresh.py FORMAT EXPORT REQUESTS ANSWERS`: the last two are NumPy's
`.npz` files as `pack` makes them, of the inputs and of the outputs; the array
`signatures` names the signature of each request.
"""

import sys

import numpy as np


def pack(rows):
    """Arrays and strings as numbers alone, which a file holds without pickles.

    Args:
        rows: List of dicts from name to an array, or to a list or array of
            strings or bytes.

    Returns:
        Dict from name to array, for `numpy.savez`.
    """
    arrays = {}
    for place, row in enumerate(rows):
        for name, value in row.items():
            key = f"{place}:{name}"
            if isinstance(value, list) or value.dtype.kind == "O":
                strings = [
                    each.encode() if isinstance(each, str) else each
                    for each in list(value)
                ]
                # One after the other: NumPy's own strings end at a zero.
                lengths = np.array(list(map(len, strings)), "int64")
                arrays[f"{key}:lengths"] = lengths
                value = np.frombuffer(b"".join(strings), "uint8")
            arrays[key] = value
    return arrays


def unpack(arrays):
    """The rows of `pack`, strings as lists of bytes.

    Args:
        arrays: What `numpy.load` opened.

    Returns:
        List of dicts.
    """
    rows = {}
    for key in arrays:
        place, _, name = key.partition(":")
        if not place.isdigit() or ":" in name:
            continue
        value = arrays[key]
        if f"{key}:lengths" in arrays:
            ends = np.cumsum(arrays[f"{key}:lengths"]).tolist()
            joined = value.tobytes()
            value = [joined[a:b] for a, b in zip([0, *ends], ends)]
        rows.setdefault(int(place), {})[name] = value
    return [rows[place] for place in sorted(rows)]


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
    with np.load(requests) as arrays:
        asked = list(zip(arrays["signatures"].tolist(), unpack(arrays)))
    # TensorFlow would import it, which takes seconds; an export needs none.
    sys.modules["keras"] = None
    outputs = list(
        {"saved_model": _saved_model, "litert": _litert}[kind](export, asked)
    )
    ours = {"zoo", "keras_attention"} & set(sys.modules)
    if kind == "litert":
        ours |= {"tensorflow"} & set(sys.modules)
    if ours:
        raise RuntimeError(f"An export must run without {sorted(ours)}.")
    np.savez(answers, **pack(outputs))
