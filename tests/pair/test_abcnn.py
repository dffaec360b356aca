"""ABCNN against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ABCNN
from tests.contract import check_pair_layer
from tests.numbers import arrays, close, numpy, randomize

INITS = {
    "bcnn": {"filters": 6, "kernel_size": 3, "variant": "bcnn"},
    1: {"filters": 6, "kernel_size": 3, "variant": 1, "max_length": 12},
    2: {"filters": 6, "kernel_size": 3, "variant": 2},
    3: {
        "filters": 6,
        "kernel_size": 2,
        "variant": 3,
        "max_length": 12,
        "share_attention_kernels": True,
    },
}


@pytest.mark.parametrize("order", [(3, "bcnn", 1, 2), (2, 3)])
@pytest.mark.slow
def test_contract(tmp_path, order):
    """The first is compiled and exported too; between them, all moved."""
    inputs, wide = (3, 5, 7), {2: (3, 7, 9), 3: (3, 6, 8)}
    grids = {
        "bcnn": {},
        1: {"input": inputs},
        2: {"output": wide[2]},
        3: {"input": inputs, "output": wide[3]},
    }
    check_pair_layer(
        ABCNN,
        inits=[INITS[variant] for variant in order],
        output=((3, 5, 6), (3, 7, 6)),
        weights=[grids[variant] for variant in order],
        folder=tmp_path,
        symmetric=[variant != 1 for variant in order],
    )


@pytest.mark.parametrize("variant", INITS)
def test_equals_the_equations_of_the_paper(variant):
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 6, 3))
    lengths = [(4, 6), (3, 5)]  # the second pair is padded
    masks = {
        f"{side}_mask": np.arange(longest) < np.array(lengths)[:, i, None]
        for i, (side, longest) in enumerate((("left", 4), ("right", 6)))
    }
    init = {**INITS[variant], "share_attention_kernels": False}
    layer = ABCNN(**init)
    layer.build(left.shape, right.shape)
    randomize(layer)
    new_left, new_right, weights = layer(
        left, right, **masks, return_attention_scores=True
    )
    for b, (n, m) in enumerate(lengths):
        expected = _abcnn(layer, left[b, :n], right[b, :m])
        close(new_left[b, :n], expected[0])
        close(new_right[b, :m], expected[1])
        assert not numpy(new_left)[b, n:].any()
        assert not numpy(new_right)[b, m:].any()
        assert set(weights) == set(expected[2])
        for name, grid in expected[2].items():
            rows, columns = grid.shape
            close(weights[name][b, :rows, :columns], grid)
            assert not numpy(weights[name])[b, rows:].any()
            assert not numpy(weights[name])[b, :, columns:].any()


def _abcnn(layer, s0, s1):
    """Sections 3 and 4, words along columns as there."""
    w, weights = layer.kernel_size, {}
    W, b = arrays(
        layer,
        "convolution/convolution/kernel",
        "convolution/convolution/bias",
    )
    W = W.reshape(-1, layer.filters).T
    F0, F1 = s0.T, s1.T
    maps = [F0], [F1]
    if layer.variant in (1, 3):
        A = weights["input"] = _match(F0, F1)
        # W0 (d, s1) is for the left, W1 (d, s0) for the right.
        W0, W1 = arrays(layer, "right_kernel", "left_kernel")
        maps[0].append(W0[: F1.shape[1]].T @ A.T)
        maps[1].append(W1[: F0.shape[1]].T @ A)
    c0, c1 = (_wide(np.concatenate(channels), W, b, w) for channels in maps)
    a0, a1 = np.ones(c0.shape[1]) / w, np.ones(c1.shape[1]) / w
    if layer.variant in (2, 3):
        A = weights["output"] = _match(c0, c1)
        a0, a1 = A.sum(axis=1), A.sum(axis=0)
    return _pooled(c0, a0, w).T, _pooled(c1, a1, w).T, weights


def _match(F0, F1):
    A = np.zeros((F0.shape[1], F1.shape[1]))
    for i, j in np.ndindex(*A.shape):
        A[i, j] = 1 / (1 + np.sqrt(((F0[:, i] - F1[:, j]) ** 2).sum()))
    return A


def _wide(F, W, b, w):
    ends = np.zeros((len(F), w - 1))
    v = np.concatenate([ends, F, ends], axis=1)
    return np.stack(
        [
            np.tanh(W @ v[:, i : i + w].T.reshape(-1) + b)
            for i in range(F.shape[1] + w - 1)
        ],
        axis=1,
    )


def _pooled(c, a, w):
    return np.stack(
        [
            sum(a[k] * c[:, k] for k in range(j, j + w))
            for j in range(c.shape[1] - w + 1)
        ],
        axis=1,
    )


def test_without_attention_neither_side_sees_the_other():
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(1, 4, 3)), rng.normal(size=(1, 6, 3))
    for variant, init in INITS.items():
        layer = ABCNN(**init)
        alone, _ = layer(left, right)
        beside, _ = layer(left, right[:, ::-1] * 2)
        same = np.allclose(numpy(alone), numpy(beside))
        assert same == (variant == "bcnn")


@pytest.mark.parametrize("variant", [1, 2, 3])
def test_equal_words_have_a_gradient(variant):
    """The root of a distance of zero has none."""
    init = INITS[variant]
    words = keras.Input((4, 3))
    left, right = ABCNN(**init)(words, words)
    model = keras.Model(words, left * right)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    same = np.ones((2, 4, 3), "float32")
    model.fit(same, np.zeros((2, 4, 6)), epochs=2, verbose=0)
    for weight in model.weights:
        assert np.isfinite(numpy(weight)).all(), weight.path


def test_any_length_up_to_the_greatest_is_taken():
    layer = ABCNN(**INITS[1])
    rng = np.random.default_rng(3)
    for tl, tr in ((1, 12), (12, 1), (5, 5)):
        left, right = layer(
            rng.normal(size=(2, tl, 3)), rng.normal(size=(2, tr, 3))
        )
        assert (left.shape[1], right.shape[1]) == (tl, tr)
    with pytest.raises(ValueError, match="right of length 13, max_length=12"):
        layer(np.ones((2, 5, 3)), np.ones((2, 13, 3)))


@pytest.mark.slow
def test_stacked_blocks_hand_on_both_masks():
    left, right = np.array([[3, 1, 4, 0, 0]]), np.array([[1, 5, 0, 0]])
    words = keras.layers.Embedding(9, 6, mask_zero=True)
    blocks = [ABCNN(**INITS[3], name=f"block_{i}") for i in range(2)]
    inputs = [keras.Input((n,), dtype="int32") for n in (5, 4)]
    sides = [words(ids) for ids in inputs]
    for block in blocks:
        sides = block(*sides)
    model = keras.Model(inputs, list(sides))

    expected = words(left[:, :3]), words(right[:, :2])
    for block in blocks:
        expected = block(*expected)
    for answers in (
        model([left, right]),
        model.predict([left, right], verbose=0),
    ):
        close(answers[0][:, :3], expected[0])
        close(answers[1][:, :2], expected[1])
        assert not numpy(answers[0])[:, 3:].any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"variant": 4}, "variant=4"),
        ({"variant": True}, "variant=True"),
        ({"variant": 3}, "max_length=None"),
        ({"variant": 1, "max_length": 0}, "max_length=0"),
        ({"variant": 2, "max_length": 9}, "max_length=9"),
        ({"variant": 2, "max_length": 0}, "max_length=0"),
        ({"variant": "bcnn", "share_attention_kernels": True}, "=True"),
        ({"filters": 0, "variant": 2}, "filters=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ABCNN(**{"filters": 4, **arguments})


def test_refuses_sides_of_two_depths():
    with pytest.raises(ValueError, match=r"right_shape=\(2, 3, 5\)"):
        ABCNN(4, variant=2)(np.ones((2, 3, 4)), np.ones((2, 3, 5)))
