"""attention_maps and attention_model against what the layers themselves say."""

import threading

import keras
import numpy as np
import pytest

from keras_attention import (
    ABCNN,
    CBAM,
    AdvancedLSTMCell,
    SABCell,
    SEBlock,
    SelfAttention,
    attention_maps,
)
from keras_attention.looking import attention_model

IMAGES = np.random.default_rng(1).random((5, 8, 8, 3)).astype("float32")
TOKENS = np.array([[1, 2, 3, 4, 0, 0], [5, 6, 7, 8, 3, 1]])


def test_maps_equal_what_the_layer_says_of_its_input():
    model = images_model()
    maps = attention_maps(model, IMAGES)
    assert list(maps) == ["se", "cbam"]
    seen = keras.Model(model.input, [layer.input for layer in gates(model)])(
        IMAGES
    )
    for layer, x in zip(gates(model), seen, strict=True):
        _, weights = layer(x, return_attention_scores=True)
        same(maps[layer.name], weights)


def test_layers_of_keras_are_found_with_their_masks():
    model = tokens_model()
    maps = attention_maps(model, TOKENS)
    assert list(maps) == ["heads", "groups", "additive", "dot"]
    assert maps["heads"].shape == (2, 2, 6, 6)
    assert maps["groups"].shape == (2, 4, 6, 6)
    # The first sentence ends after four words; causal hides what comes later.
    assert not maps["heads"][0, :, :4, 4:].any()
    assert not np.triu(maps["heads"][1], 1).any()
    assert maps["heads"][1, :, 5, 4:].all()
    words = number(model.get_layer("words")(TOKENS))
    _, weights = model.get_layer("heads")(
        words,
        words,
        attention_mask=(TOKENS != 0)[:, None, :],
        use_causal_mask=True,
        return_attention_scores=True,
    )
    close(maps["heads"][0, :, :4], number(weights)[0, :, :4])
    close(maps["heads"][1], number(weights)[1])


def test_a_nested_model_gives_paths():
    image = keras.Input((8, 8, 3))
    inner = images_model("backbone")
    outer = keras.Model(image, SEBlock(ratio=2, name="head")(inner(image)))
    maps = attention_maps(outer, IMAGES)
    assert list(maps) == ["backbone/se", "backbone/cbam", "head"]
    alone = attention_maps(inner, IMAGES)
    close(maps["backbone/se"], alone["se"])


def test_a_sequential_model_is_looked_into_built_or_not():
    model = keras.Sequential([keras.layers.Conv2D(4, 3), SEBlock(name="se")])
    unbuilt = attention_maps(model, IMAGES)["se"]
    assert unbuilt.shape == (5, 1, 1, 4)
    close(attention_maps(model, IMAGES)["se"], unbuilt)
    close(attention_model(model).predict(IMAGES, verbose=0)["se"], unbuilt)


def test_a_reloaded_model_looks_where_it_did(tmp_path):
    model = images_model()
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    same(attention_maps(reloaded, IMAGES), attention_maps(model, IMAGES))


class Block(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = keras.layers.Attention(name="attention")

    def call(self, inputs):
        return inputs + self.attention([inputs, inputs])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [Block(name="block_1"), Block(name="block_2")]

    def call(self, inputs):
        return self.blocks[1](self.blocks[0](inputs))


def test_layers_inside_layers_and_subclassed_models_are_found():
    sequence = IMAGES[:, 0]
    maps = attention_maps(Subclassed(), sequence)
    assert list(maps) == ["block_1/attention", "block_2/attention"]
    _, weights = keras.layers.Attention()(
        [sequence, sequence], return_attention_scores=True
    )
    close(maps["block_1/attention"], weights)


def test_a_layer_called_again_is_listed_again():
    image = keras.Input((8, 8, 4))
    shared = SEBlock(ratio=2, name="se")
    x = shared(keras.layers.Conv2D(4, 3, name="conv")(shared(image)))
    x = SEBlock(ratio=2, name="se_2")(x)
    model = keras.Model(image, x)
    data = np.concatenate([IMAGES, IMAGES[..., :1]], -1)
    maps = attention_maps(model, data)
    assert list(maps) == ["se", "se_3", "se_2"]
    _, first = shared(data, return_attention_scores=True)
    close(maps["se"], first)
    assert not np.allclose(maps["se"], maps["se_3"])


def test_batches_do_not_change_the_maps():
    model = images_model()
    same(
        attention_maps(model, IMAGES, batch_size=2),
        attention_maps(model, IMAGES),
    )


def test_inputs_come_as_the_model_takes_them():
    left, right = keras.Input((4, 3), name="l"), keras.Input((6, 3), name="r")
    out = keras.layers.Attention(name="dot")([left, right])
    model = keras.Model({"l": left, "r": right}, {"out": out})
    data = {"l": IMAGES[:, 0, :4], "r": IMAGES[:, 1, :6]}
    weights = attention_maps(model, data, batch_size=3)["dot"]
    assert weights.shape == (5, 4, 6)
    close(attention_model(model)(data)["dot"], weights)
    data["r"] = data["r"][:3]
    with pytest.raises(ValueError, match="same number of samples"):
        attention_maps(model, data)


def test_weights_of_the_model_and_not_of_a_sample_come_once():
    class Branches(keras.layers.Layer):
        def call(self, inputs, return_attention_scores=False):
            shares = keras.ops.ones((5,)) / 5
            return (inputs, shares) if return_attention_scores else inputs

    image = keras.Input((8, 8, 3))
    model = keras.Model(image, Branches(name="branches")(image))
    maps = attention_maps(model, IMAGES, batch_size=2)
    close(maps["branches"], np.full(5, 0.2))


def test_looking_is_inference():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Dropout(0.5)(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(image, SEBlock(ratio=1, name="se")(x))
    before = [number(w) for w in model.weights]
    first, again = (attention_maps(model, IMAGES) for _ in range(2))
    same(first, again)
    same([number(w) for w in model.weights], before)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_maps_of_a_model_in_half_precision_are_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = images_model()
        arrays = keras.tree.flatten(attention_maps(model, IMAGES))
        tensors = attention_model(model)(IMAGES).values()
    finally:
        keras.config.set_dtype_policy("float32")
    assert {a.dtype for a in arrays} == {np.dtype("float32")}
    assert {number(t).dtype for t in tensors} == {np.dtype("float32")}


def test_nothing_of_a_look_stays_on_the_model():
    model = images_model()
    answers = number(model(IMAGES))
    calls = [dict(vars(layer)) for layer in model.layers]
    attention_maps(model, IMAGES)
    attention_model(model).predict(IMAGES, verbose=0)
    for layer, before in zip(model.layers, calls, strict=True):
        assert vars(layer).keys() == before.keys()
        assert len(layer._inbound_nodes) == 1
        assert "call" not in vars(layer)
    close(model(IMAGES), answers, exactly=True)


def test_calls_are_restored_after_an_exception():
    class Failing(keras.layers.Layer):
        def call(self, inputs, training=None):
            if training is False:
                raise RuntimeError("on purpose")
            return inputs

    image = keras.Input((8, 8, 3))
    x = SEBlock(ratio=1, name="se")(image)
    model = keras.Model(image, Failing()(x))
    own = SEBlock(ratio=1, name="own")
    own.call = mine = own.call
    second = keras.Model(image, Failing()(own(x)))
    for each in (model, second):
        with pytest.raises(RuntimeError, match="on purpose"):
            attention_maps(each, IMAGES)
    assert "call" not in vars(model.get_layer("se"))
    assert vars(own)["call"] is mine


def test_another_thread_meanwhile_is_neither_noted_nor_changed():
    answers = []

    class Meanwhile(keras.layers.Layer):
        def call(self, inputs):
            def other():
                answers.append(se(np.ones((1, 8, 8, 3), "float32")))

            if keras.ops.is_tensor(inputs) and looking:
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()
            return inputs

    looking = False
    se = SEBlock(ratio=1, name="se")
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, se(Meanwhile()(image)))
    looking = True
    maps = attention_maps(model, IMAGES)
    assert list(maps) == ["se"] and len(maps["se"]) == 5
    assert tuple(answers[0].shape) == (1, 8, 8, 3)


def test_the_attention_model_agrees_and_follows_training():
    model = images_model()
    looking = attention_model(model, return_outputs=True)
    for _ in range(2):
        answers, maps = looking.predict(IMAGES, verbose=0)
        close(answers, model(IMAGES))
        expected = attention_maps(model, IMAGES)
        assert set(maps) == {"se", "cbam/channel", "cbam/spatial"}
        close(maps["se"], expected["se"])
        close(maps["cbam/channel"], expected["cbam"]["channel"])
        close(maps["cbam/spatial"], expected["cbam"]["spatial"])
        for weight in model.trainable_weights:
            weight.assign(number(weight) * 0.5 + 0.1)
    assert {id(w) for w in looking.weights} == {id(w) for w in model.weights}


def test_the_attention_model_runs_compiled():
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles too slowly for a test")
    model = images_model()
    looking = attention_model(model)
    looking.compile(jit_compile=True)
    close(
        looking.predict(IMAGES, verbose=0)["se"],
        attention_maps(model, IMAGES)["se"],
    )


def test_the_attention_model_is_exported_with_names(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("SavedModels are made from TensorFlow")
    tensorflow = pytest.importorskip("tensorflow")
    model = images_model()
    attention_model(model).export(tmp_path / "looking", verbose=False)
    loaded = tensorflow.saved_model.load(tmp_path / "looking")
    served = loaded.signatures["serving_default"](image=IMAGES)
    expected = attention_maps(model, IMAGES)
    assert set(served) == {"se", "cbam/channel", "cbam/spatial"}
    close(served["cbam/spatial"], expected["cbam"]["spatial"])


def test_refuses_a_model_that_does_not_attend():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Dense(2)])
    for look in (
        lambda: attention_maps(model, IMAGES),
        lambda: attention_model(model),
    ):
        with pytest.raises(ValueError, match="MultiHeadAttention.*'Dense'"):
            look()


def test_refuses_a_model_whose_attention_is_never_called():
    class Idle(keras.Model):
        def __init__(self):
            super().__init__()
            self.se = SEBlock(name="se")

        def build(self, input_shape):
            self.se.build(input_shape)

        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match=r"called none of \['se'\]"):
        attention_maps(Idle(), IMAGES)


def test_refuses_what_a_loop_keeps_to_itself():
    class Mapped(Block):
        def call(self, inputs):
            return keras.ops.vectorized_map(self.one, inputs)

        def one(self, sequence):
            return self.attention([sequence[None], sequence[None]])[0]

    inputs = keras.Input((8, 3))
    model = keras.Model(inputs, Mapped(name="mapped")(inputs))
    with pytest.raises(RuntimeError, match="called plainly"):
        attention_maps(model, IMAGES[:, 0])
    assert "call" not in vars(model.get_layer("mapped").attention)


def test_refuses_a_layer():
    with pytest.raises(ValueError, match="type SEBlock"):
        attention_maps(SEBlock(), IMAGES)


def test_refuses_a_symbolic_model_of_one_that_does_not_know_its_inputs():
    with pytest.raises(ValueError, match="use `attention_maps`"):
        attention_model(Subclassed())
    with pytest.raises(ValueError, match="use `attention_maps`"):
        attention_model(keras.Sequential([SEBlock()]))


@pytest.mark.parametrize("inputs", [IMAGES[:0], [[1.0], [2.0]], np.float32(3)])
def test_refuses_inputs_that_are_no_samples(inputs):
    with pytest.raises(ValueError, match="on the first axis"):
        attention_maps(images_model(), inputs)


def test_refuses_an_empty_batch():
    with pytest.raises(ValueError, match="batch_size=0"):
        attention_maps(images_model(), IMAGES, batch_size=0)


def images_model(name="images"):
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    branch = SEBlock(ratio=2, name="se")(x)
    # A bare addition is an operation in the graph, and no layer.
    x = CBAM(ratio=2, name="cbam")(x + branch)
    return keras.Model(image, x, name=name)


def tokens_model():
    layers = keras.layers
    tokens = keras.Input((6,), dtype="int32")
    words = layers.Embedding(9, 4, mask_zero=True, name="words")(tokens)
    x = layers.MultiHeadAttention(2, 3, name="heads")(
        words, words, use_causal_mask=True
    )
    plain = layers.Dense(4)(keras.ops.abs(x))
    x = layers.GroupQueryAttention(3, 4, 2, name="groups")(plain, plain)
    x = layers.AdditiveAttention(name="additive")([x, plain])
    return keras.Model(tokens, layers.Attention(name="dot")([x, plain]))


def gates(model):
    return [model.get_layer("se"), model.get_layer("cbam")]


def number(tensor):
    return keras.ops.convert_to_numpy(tensor).copy()


def close(actual, expected, exactly=False):
    np.testing.assert_allclose(
        number(actual),
        number(expected),
        rtol=0 if exactly else 1e-4,
        atol=0 if exactly else 1e-5,
    )


def same(actual, expected):
    keras.tree.map_structure(close, actual, expected)


def test_a_layer_without_weights_has_nothing_to_show():
    left, right = keras.Input((3, 4)), keras.Input((5, 4))
    model = keras.Model(
        [left, right], ABCNN(2, variant="bcnn")(left, right), name="plain"
    )
    data = [np.ones((1, 3, 4)), np.ones((1, 5, 4))]
    with pytest.raises(ValueError, match="must have weights to show"):
        attention_maps(model, data)
    with pytest.raises(ValueError, match="must have weights to show"):
        attention_model(model)


def distributed(layer, *shape):
    """A model that calls a layer at each of the steps of its input."""
    x = keras.Input(shape)
    return keras.Model(x, keras.layers.TimeDistributed(layer, name="steps")(x))


def test_the_steps_of_a_layer_distributed_over_time_are_one_map():
    layer = CBAM(ratio=2, name="cbam")
    data = np.random.default_rng(0).normal(size=(5, 3, 4, 4, 8))
    for model in (
        distributed(layer, 3, 4, 4, 8),
        distributed(layer, None, 4, 4, 8),
    ):
        before = model.predict(data, verbose=0)
        maps = attention_maps(model, data, batch_size=2)
        assert list(maps) == ["steps/cbam"]
        assert maps["steps/cbam"]["channel"].shape == (5, 3, 1, 1, 8)
        for step in range(3):
            _, gates = layer(data[:, step], return_attention_scores=True)
            for name, gate in gates.items():
                np.testing.assert_allclose(
                    maps["steps/cbam"][name][:, step],
                    keras.ops.convert_to_numpy(gate),
                    atol=1e-5,
                )
        np.testing.assert_allclose(
            model.predict(data, verbose=0), before, atol=1e-6
        )
        assert "call" not in vars(layer)


def test_a_model_and_time_itself_may_be_distributed_over_time():
    words = keras.Input((6, 8))
    attention = SelfAttention(2, name="attention")
    inner = keras.Model(words, attention(attention(words)), name="inner")
    clips = keras.layers.TimeDistributed(inner, name="days")
    x = keras.Input((2, 3, 6, 8))
    model = keras.Model(x, keras.layers.TimeDistributed(clips, name="weeks")(x))
    maps = attention_maps(model, np.ones((4, 2, 3, 6, 8), "float32"))
    assert {path.rsplit("/")[-1] for path in maps} == {
        "attention",
        "attention_2",
    }
    assert {x.shape for x in maps.values()} == {(4, 2, 3, 2, 6, 6)}


class ReadingCell(keras.layers.Layer):
    """A cell that reads a table of its own by an attention layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.state_size = 4
        self.dense = keras.layers.Dense(4)
        self.attention = SelfAttention(2, name="attention")

    def build(self, inputs_shape):
        self.dense.build(inputs_shape)
        self.attention.build((None, 2, 4))

    def call(self, inputs, states):
        rows = keras.ops.stack([self.dense(inputs), states[0]], axis=1)
        output = keras.ops.sum(self.attention(rows), axis=1)
        return output, [output]


def cells():
    one = AdvancedLSTMCell(4, lags=(0, 1), update_every=2, name="a")
    other = SABCell(4, 2, 1, 2, 6, name="b")
    return {
        "a": (one, {"rnn/a": {"hidden": (3, 7, 2), "cell": (3, 7, 2)}}),
        "b": (other, {"rnn/b": (3, 7, 6)}),
        "stack": (
            [
                SABCell(4, 2, 1, 2, 6, name="b"),
                keras.layers.LSTMCell(4),
                SABCell(4, 2, 1, 2, 5, include_summary=True, name="c"),
            ],
            {
                "rnn/stacked_rnn_cells/b": (3, 7, 6),
                "rnn/stacked_rnn_cells/c": (3, 7, 5),
            },
        ),
        "reading": (
            ReadingCell(name="cell"),
            {"rnn/cell/attention": (3, 7, 2, 2, 2)},
        ),
    }


@pytest.mark.parametrize("options", [{}, {"go_backwards": True}])
@pytest.mark.parametrize("kind", ["a", "b", "stack", "reading"])
def test_the_steps_of_a_recurrent_layer_are_one_map(kind, options):
    cell, shapes = cells()[kind]
    words = keras.Input((None, 5))
    layer = keras.layers.RNN(cell, name="rnn", **options)
    model = keras.Model(words, layer(words))
    data = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")
    before = model.predict(data, verbose=0)
    maps = attention_maps(model, data, batch_size=2)
    if kind == "stack":  # Keras numbers its names
        shapes = dict(zip(maps, shapes.values(), strict=True))
    assert keras.tree.map_structure(np.shape, maps) == shapes
    weights = attention_model(model).predict(data, verbose=0)
    for path, one in flat(maps).items():
        np.testing.assert_allclose(one, weights[path], atol=1e-5)
    np.testing.assert_allclose(model.predict(data, verbose=0), before)
    if kind in "ab":
        words = data[:, ::-1] if options else data
        states = cell.get_initial_state(batch_size=3)
        for t in range(7):
            _, states, weights = cell(
                words[:, t], states, return_attention_scores=True
            )
            for path, one in flat({f"rnn/{kind}": weights}).items():
                np.testing.assert_allclose(
                    flat(maps)[path][:, t],
                    keras.ops.convert_to_numpy(one),
                    atol=1e-5,
                )


def flat(maps):
    found = {}
    for path, one in maps.items():
        parts = one if isinstance(one, dict) else {"": one}
        found |= {f"{path}/{n}".rstrip("/"): x for n, x in parts.items()}
    return found


def test_masked_steps_of_a_recurrent_layer_have_no_weights():
    ids = keras.Input((6,), dtype="int32")
    words = keras.layers.Embedding(9, 5, mask_zero=True)(ids)
    cell = SABCell(4, 2, 1, 2, 6, name="cell")
    both = keras.layers.Bidirectional(keras.layers.RNN(cell), name="both")
    model = keras.Model(ids, both(words))
    data = np.array([[1, 2, 0, 3, 4, 0], [1, 2, 3, 4, 5, 6]])
    maps = attention_maps(model, data)
    short = attention_maps(model, np.array([[1, 2, 3, 4, 0, 0]]))
    assert len(maps) == 2
    for path, weights in maps.items():
        backwards = "backward" in path
        hidden = (data == 0)[:, :: -1 if backwards else 1]
        assert not weights[hidden].any()
        assert (weights[~hidden].sum(axis=-1) > 0.5).sum() == 8  # not first
        seen = np.flatnonzero(~hidden[0])
        expected = short[path][0, 2:] if backwards else short[path][0, :4]
        np.testing.assert_allclose(weights[0, seen], expected, atol=1e-5)


def test_a_stateful_recurrent_layer_goes_on_where_it_was():
    words = keras.Input(batch_shape=(2, 3, 5))
    cell = SABCell(4, 2, 1, 2, 6, name="cell")
    layer = keras.layers.RNN(cell, stateful=True, name="rnn")
    model = keras.Model(words, layer(words))
    data = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    first, second = (attention_maps(model, data)["rnn/cell"] for _ in range(2))
    assert (first > 0).sum(axis=-1).tolist() == [[0, 1, 2]] * 2
    assert (second > 0).sum(axis=-1).tolist() == [[2, 2, 2]] * 2


def test_a_model_of_weights_has_the_steps_in_one_map_too():
    model = distributed(CBAM(ratio=2, name="cbam"), 3, 4, 4, 8)
    data = np.ones((2, 3, 4, 4, 8), "float32")
    maps = attention_model(model)(data)
    assert maps["steps/cbam/spatial"].shape == (2, 3, 4, 4, 1)
    if keras.backend.backend() == "torch":
        return  # it traces unknown numbers by numbers of its own
    unknown = distributed(CBAM(ratio=2), None, 4, 4, 8)
    with pytest.raises(ValueError, match="number of steps must be known"):
        attention_model(unknown)
