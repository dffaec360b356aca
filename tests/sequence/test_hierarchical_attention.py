"""HierarchicalAttention against the paper's equations, written out in NumPy."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_attention import HierarchicalAttention
from tests.contract import POLICIES, check_layer
from tests.numbers import arrays, both_ways, close, numpy, randomize, softmax


@pytest.mark.slow
def test_contract(tmp_path):
    # JAX and PyTorch have no decomposition of half matrices on CPU, with which
    # Keras starts recurrent kernels.
    halves = keras.backend.backend() == "tensorflow"
    check_layer(
        HierarchicalAttention,
        inits=[
            {"units": 3, "attention_units": 4},
            {"units": 2, "attention_units": 3, "dropout": 0.2, "seed": 1},
        ],
        shapes={"inputs": (3, 2, 4, 6)},
        output=[(3, 6), (3, 4)],
        weights={"words": (3, 2, 4), "sentences": (3, 2)},
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1, 2),
        litert_batches=(1,),
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def test_equals_the_equations_of_the_paper():
    inputs = np.random.default_rng(1).normal(size=(2, 3, 4, 5))
    mask = np.ones((2, 3, 4), "bool")
    mask[0, 1, 2:] = False
    mask[1, 2] = False
    layer = HierarchicalAttention(units=3, attention_units=4)
    layer.build(inputs.shape)
    randomize(layer)
    output, weights = layer(inputs, mask=mask, return_attention_scores=True)

    for b in range(2):
        sentences = np.zeros((3, 6))
        for i in range(3):
            seen = mask[b, i]
            if not seen.any():
                close(weights["words"][b, i], np.zeros(4))
                continue
            s, shares = _read(layer, "word", inputs[b, i][seen])
            sentences[i] = s
            close(numpy(weights["words"])[b, i][seen], shares)
        kept = mask[b].any(-1)
        document, shares = _read(layer, "sentence", sentences[kept])
        close(numpy(weights["sentences"])[b][kept], shares)
        close(output[b], document)


def _read(layer, floor, x):
    """A floor of the network: annotations, then their pooling."""
    h = both_ways(layer, f"{floor}_encoder/", x)
    W, b, c = arrays(
        layer,
        f"{floor}_attention/hidden/kernel",
        f"{floor}_attention/hidden/bias",
        f"{floor}_attention/context_vectors",
    )
    shares = softmax(np.tanh(h @ W + b) @ c[:, 0])
    return shares @ h, shares


@pytest.mark.slow
def test_padding_of_words_and_of_sentences_is_never_read():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(2, 3, 4, 5))
    padded = rng.normal(size=(2, 5, 7, 5)) * 9
    padded[:, :3, :4] = inputs
    mask = np.zeros((2, 5, 7), "bool")
    mask[:, :3, :4] = True
    layer = HierarchicalAttention(units=3, attention_units=4)
    expected, whole = layer(inputs, return_attention_scores=True)
    output, weights = layer(padded, mask=mask, return_attention_scores=True)
    close(output, expected, atol=1e-6)
    close(weights["words"][:, :3, :4], whole["words"])
    assert not numpy(weights["words"])[~mask].any()
    assert not numpy(weights["sentences"])[:, 3:].any()


def test_padding_in_front_is_never_read_either():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(1, 2, 3, 5))
    padded = rng.normal(size=(1, 3, 5, 5))
    padded[:, 1:, 2:] = inputs
    mask = np.zeros((1, 3, 5), "bool")
    mask[:, 1:, 2:] = True
    layer = HierarchicalAttention(units=3, attention_units=4)
    close(layer(padded, mask=mask), layer(inputs), atol=1e-6)


def test_an_empty_sentence_is_dropped_wherever_it_stands():
    inputs = np.random.default_rng(4).normal(size=(1, 3, 4, 5))
    mask = np.ones((1, 3, 4), "bool")
    mask[0, 1] = False
    layer = HierarchicalAttention(units=3, attention_units=4)
    close(layer(inputs, mask=mask), layer(inputs[:, [0, 2]]))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_an_empty_document_is_zero(policy):
    layer = HierarchicalAttention(units=3, attention_units=4, dtype=policy)
    inputs, nothing = np.ones((1, 2, 3, 5)), np.zeros((1, 2, 3), "bool")
    output, weights = layer(inputs, mask=nothing, return_attention_scores=True)
    for tensor in (output, weights["words"], weights["sentences"]):
        assert not numpy(keras.ops.cast(tensor, "float32")).any()


def test_takes_the_mask_an_embedding_carries_and_ends_it():
    ids = keras.Input((3, 4), dtype="int32")
    words = keras.layers.Embedding(9, 5, mask_zero=True)(ids)
    layer = HierarchicalAttention(units=3, attention_units=4)
    output, weights = layer(words, return_attention_scores=True)
    assert getattr(output, "_keras_mask", None) is None
    model = keras.Model(ids, [output, weights["words"]])
    numbers = np.array([[[1, 2, 3, 0], [4, 0, 0, 0], [0, 0, 0, 0]]])
    shares = numpy(model(numbers)[1])
    np.testing.assert_array_equal(shares > 0, numbers > 0)


def test_drops_annotations_in_training_only():
    inputs = np.random.default_rng(5).normal(size=(2, 3, 4, 5))
    layer = HierarchicalAttention(
        units=3, attention_units=4, dropout=0.5, seed=0
    )
    close(layer(inputs), layer(inputs, training=False))
    dropped = numpy(layer(inputs, training=True))
    assert not np.allclose(dropped, numpy(layer(inputs)))


@pytest.mark.parametrize(
    "arguments, message",
    [({"units": 0}, "units=0"), ({"attention_units": 0}, "attention_units=0")],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalAttention(**arguments)


def test_refuses_bad_inputs():
    layer = HierarchicalAttention(units=3, attention_units=4)
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 5\)"):
        layer(np.ones((2, 4, 5)))
    with pytest.raises(ValueError, match=r"\). Received: mask of shape"):
        layer(np.ones((2, 3, 4, 5)), mask=np.ones((2, 3), "bool"))


@pytest.mark.slow
def test_what_is_copied_first_is_there_when_the_second_is(monkeypatch):
    seen, init = [], keras.layers.Bidirectional.__init__

    def recorded(self, layer, *args, **kwargs):
        gc.collect()
        assert all(other() is not None for other in seen)
        seen.append(weakref.ref(layer))
        init(self, layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Bidirectional, "__init__", recorded)
    HierarchicalAttention(3, 4)
    assert len(seen) == 2
