"""A layer learns, is saved and loaded, and exported."""

import json

import keras
import numpy as np

from tests.contract.asking import (
    as_numpy,
    ask,
    check_close,
    flat,
    symbols_of,
)

# What the contract saved in this run: (model file, its inputs and output).
# When the tests end, `tests/reloading.py` loads them all in a fresh process.
SAVED = []


def check_training(model, layer, data, compiled, still, learning_rate=0.1):
    """Three steps move every trainable weight.

    The first may not: behind a zero gain the gradient is zero. The question is
    exact inequality; "how far" depends on chance.
    """
    if keras.backend.backend() == "torch":
        compiled = False  # 36 to 122 s for one layer
    before = [as_numpy(w).copy() for w in layer.trainable_weights]
    model.compile(
        keras.optimizers.SGD(learning_rate),
        loss="mse",
        jit_compile=True if compiled else "auto",
    )
    if not before:
        model.predict(flat(data), verbose=0)  # compiled all the same
        return
    rng = np.random.default_rng(0)
    target = keras.tree.map_structure(
        lambda tensor: rng.normal(size=tensor.shape).astype("float32"),
        model(flat(data)),
    )
    samples = len(next(iter(flat(data).values())))
    model.fit(flat(data), target, batch_size=samples, epochs=3, verbose=0)
    for old, weight in zip(before, layer.trainable_weights, strict=True):
        new = as_numpy(weight)
        assert np.isfinite(new).all(), f"{weight.path} is not finite"
        if not weight.path.endswith(tuple(still)):
            assert (old != new).any(), f"training never moves {weight.path}"


def check_reload(model, layer, data, folder, number):
    """Saved without `custom_objects`, here and in a fresh process."""
    name = f"{type(layer).__name__}_{number}"
    model_file = folder / f"{name}.keras"
    data = flat(data)
    answer = model(data)
    model.save(model_file)
    reloaded = keras.saving.load_model(model_file)
    check_close(reloaded(data), answer, "a saved model, reloaded")
    (twin,) = [x for x in reloaded.layers if type(x) is type(layer)]
    # A tuple may come back as a list, as in JSON.
    kept, given = map(json.dumps, (twin.get_config(), layer.get_config()))
    assert kept == given, "the reloaded layer has another recipe"

    arrays = [as_numpy(tensor) for tensor in keras.tree.flatten(answer)]
    assert len(arrays) <= 10, "the outputs are read back in order of name"
    numbers = {f"output_{i}": array for i, array in enumerate(arrays)}
    np.savez(folder / f"{name}.npz", **data, **numbers)
    SAVED.append((model_file, folder / f"{name}.npz"))


def reload_script():
    """The program that `tests/reloading.py` runs in a fresh process.

    It imports `keras` and `keras_attention` and nothing else of ours, reads a
    list of pairs as `SAVED` holds them from standard input, and prints a dict
    from the file of numbers to what was wrong.
    """
    return """
import json, sys
import keras, numpy, keras_attention
wrong = {}
for model_file, numbers_file in json.load(sys.stdin):
    data = dict(numpy.load(numbers_file))
    expected = [data.pop(name) for name in sorted(data) if "output_" in name]
    try:
        actual = keras.saving.load_model(model_file)(data)
        actual = map(keras.ops.convert_to_numpy, keras.tree.flatten(actual))
        for one, other in zip(actual, expected, strict=True):
            numpy.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    except Exception as error:
        wrong[numbers_file] = f"{type(error).__name__}: {error}"
print()
print(json.dumps(wrong))
"""


def check_litert(layer, data, batches, folder):
    """The LiteRT file has builtin operators only, and the same answers."""
    inputs = symbols_of(data, batches[0] if len(batches) == 1 else None)
    outputs = keras.tree.flatten(ask(layer, inputs))
    inputs = flat(inputs)
    model = keras.Model(
        inputs, {f"output_{i}": tensor for i, tensor in enumerate(outputs)}
    )
    file = folder / f"{type(layer).__name__}.tflite"
    fixed = {}
    if len(batches) == 1:
        # Keras frees the batch again unless it is told.
        signature = keras.tree.map_structure(
            lambda x: keras.InputSpec(
                shape=x.shape, dtype=x.dtype, name=x.name
            ),
            inputs,
        )
        fixed = {"input_signature": [signature]}
    run = litert_runner(model, file, **fixed)
    for batch in batches:
        few = {
            name: np.resize(a, (batch, *a.shape[1:]))
            for name, a in flat(data).items()
        }
        actual, expected = run(**few), model(few)
        assert set(actual) == set(expected)
        for name in expected:
            check_close(actual[name], expected[name], f"LiteRT, batch {batch}")


def litert_runner(model, file, **options):
    """What runs a model's LiteRT export, of builtin operators only."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model.export(
        str(file),
        **options,
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    return Interpreter(str(file)).get_signature_runner()
