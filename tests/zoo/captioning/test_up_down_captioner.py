"""The two LSTMs of Up-Down against NumPy."""

import keras
import numpy as np
import pytest

from tests.numbers import close, numpy, randomize
from tests.zoo.captioning.unpacked import Unpacked
from tests.zoo.contract import check_decoder
from zoo.captioning.up_down_captioner import (
    PRESETS,
    UpDownDecoder,
    up_down_captioner,
)
from zoo.losses import SentenceCrossentropy

GRID, DEPTH, TOKENS = (2, 3), 4, 5
MEMORY = np.random.default_rng(0).normal(size=(3, 6, DEPTH)).astype("float32")
IDS = np.array([[1, 3, 4, 4], [1, 4, 2, 0], [1, 0, 0, 0]], "int32")


def decoder(attention=True, size=2.0, **options):
    made = UpDownDecoder(
        TOKENS,
        GRID,
        attention,
        units=6,
        embedding_dim=3,
        attention_units=5,
        **options,
    )
    made.build((None, None), (None, 6, DEPTH))
    randomize(made, seed=1)
    for variable in made.trainable_variables:
        variable.assign(size * numpy(variable))
    return made


def regions(padding=0, filled=0.0):
    """A memory of three, two and one regions, of three and more."""
    mask = np.arange(3 + padding) < np.array([3, 2, 1])[:, None]
    values = np.full((3, 3 + padding, DEPTH), filled, "float32")
    values[:, :3] = MEMORY[:, :3]
    values = np.where(mask[..., None], values, filled).astype("float32")
    return {"regions": values, "mask": mask}


def of_regions(attention=True, size=2.0, **options):
    """A decoder of regions, its weights those of `decoder`."""
    made = UpDownDecoder(
        TOKENS,
        None,
        attention,
        units=6,
        embedding_dim=3,
        attention_units=5,
        **options,
    )
    shapes = {"regions": (None, None, DEPTH), "mask": (None, None)}
    made.build((None, None), shapes)
    made.set_weights(decoder(attention, size).get_weights())
    return made


def lstm(w, name, inputs, state):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    hidden, cell = state
    z = np.concatenate(inputs, axis=1) @ w[f"{name}/kernel"]
    z = z + hidden @ w[f"{name}/recurrent_kernel"] + w[f"{name}/bias"]
    i, f, g, o = np.split(z, 4, axis=1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def by_hand(made, memory, ids):
    """Logits and weights in float64, by the paper's equations."""
    w = {
        v.path.split("/", 1)[-1]: numpy(v).astype("float64")
        for v in made.weights
    }
    memory = memory.astype("float64")
    mean = memory.mean(axis=1)
    one = two = (np.zeros((len(ids), 6)), np.zeros((len(ids), 6)))
    logits, weights = [], []
    for last in ids.T:
        word = w["embedding/embeddings"][last]
        one = lstm(w, "looking", [two[0], mean, word], one)
        seen = mean
        if made.attention:
            key = memory @ w["look/key/kernel"]
            query = one[0] @ w["look/query/kernel"]
            scores = np.tanh(key + query[:, None]) @ w["look/score_vector"]
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            weights.append(shares)
            seen = np.einsum("bl,bld->bd", shares, memory)
        two = lstm(w, "speaking", [seen, one[0]], two)
        logits.append(two[0] @ w["logits/kernel"] + w["logits/bias"])
    return np.stack(logits, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("attention", [True, False])
def test_equals_the_papers_equations(attention):
    made = decoder(attention)
    logits, weights = by_hand(made, MEMORY, IDS)
    close(made(IDS, MEMORY), logits, 1e-4, 1e-5)
    if not attention:
        with pytest.raises(ValueError, match="attention=False"):
            made(IDS, MEMORY, return_attention_scores=True)
        return
    found, maps = made(IDS, MEMORY, return_attention_scores=True)
    close(found, logits, 1e-4, 1e-5)
    close(maps, weights.reshape(3, 4, *GRID), 1e-4, 1e-5)
    assert weights.max() > 0.4  # it does look somewhere


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(attention, tmp_path):
    made = Unpacked(decoder(attention, size=2.5))
    memory = {"places": MEMORY[:2]}
    check_decoder(made, memory, memory, tmp_path, 3)


@pytest.mark.parametrize("attention", [True, False])
def test_of_regions_equals_the_equations_over_those_that_are_there(attention):
    made, memory = of_regions(attention), regions(filled=9.0)
    found = numpy(made(IDS, memory))
    if attention:
        _, maps = made(IDS, memory, return_attention_scores=True)
        assert maps.shape == (3, 4, 3)
    for row, count in enumerate((3, 2, 1)):
        alone = memory["regions"][row : row + 1, :count]
        logits, weights = by_hand(made, alone, IDS[row : row + 1])
        close(found[row : row + 1], logits, 1e-4, 1e-5)
        if attention:
            close(maps[row, :, :count], weights[0], 1e-4, 1e-5)
            assert not numpy(maps)[row, :, count:].any()  # exactly


def test_more_padding_changes_nothing():
    made = of_regions()
    logits, maps = made(IDS, regions(), return_attention_scores=True)
    more = made(IDS, regions(4, 7.0), return_attention_scores=True)
    close(more[0], logits, 1e-6, 1e-6)
    close(more[1][..., :3], maps, 1e-6, 1e-6)
    assert not numpy(more[1])[..., 3:].any()


def test_without_any_region_nothing_is_seen():
    made, memory = of_regions(), regions(filled=3.0)
    memory["mask"][1] = False
    logits, maps = made(IDS, memory, return_attention_scores=True)
    assert np.isfinite(numpy(logits)).all() and not numpy(maps)[1].any()
    expected, _ = by_hand(made, np.zeros((1, 1, DEPTH)), IDS[1:2])
    close(logits[1:2], expected, 1e-4, 1e-5)


@pytest.mark.slow
def test_of_regions_keeps_the_contract_of_decoders(tmp_path):
    made = of_regions(size=2.5)
    check_decoder(made, regions(), regions(filled=9.0), tmp_path, 3)


def test_the_network_reads_the_boxes_that_it_is_given():
    keras.utils.set_random_seed(0)
    sizes = {"filters": [4], "units": 6, "embedding_dim": 3}
    few, more = (
        up_down_captioner(
            (8, 12, 3), TOKENS, 4, attention_units=5, regions=count, **sizes
        )
        for count in (2, 5)
    )
    more.set_weights(few.get_weights())
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (3, 8, 12, 3)).astype("float32")
    boxes = np.zeros((3, 5, 4), "float32")
    boxes[:, 0], boxes[:2, 1] = (-1, -1, 0, 1), (0, -1, 1, 0)
    inputs = {"image": image, "target_ids": IDS}
    found = numpy(few({**inputs, "boxes": boxes[:, :2]}))
    close(more({**inputs, "boxes": boxes}), found, 1e-5, 1e-6)
    # The order of boxes tells nothing, and what lies outside of them neither.
    close(few({**inputs, "boxes": boxes[:, 1::-1]}), found, 1e-5, 1e-6)
    other = image.copy()
    other[2, :, 9:] = 0
    inputs = {"image": other, "target_ids": IDS}
    close(few({**inputs, "boxes": boxes[:, :2]})[2], found[2], 1e-5, 1e-6)
    other[2, :, :3] = 0
    changed = numpy(few({**inputs, "boxes": boxes[:, :2]}))[2]
    assert np.abs(changed - found[2]).max() > 1e-4
    memory = more.get_layer("encoder")({"image": image, "boxes": boxes})
    assert memory["regions"].shape == (3, 5, 4 + 5)
    assert numpy(memory["mask"]).sum() == 5


def test_the_word_before_says_where_to_look():
    made = decoder()
    other = IDS.copy()
    other[:, 2] = 3
    _, maps = made(IDS, MEMORY, return_attention_scores=True)
    _, changed = made(other, MEMORY, return_attention_scores=True)
    # Unlike in Show, Attend and Tell: the attention LSTM has read it.
    np.testing.assert_array_equal(numpy(maps)[:, :2], numpy(changed)[:, :2])
    assert np.abs(numpy(maps)[:, 2] - numpy(changed)[:, 2]).max() > 1e-3


def test_dropout_is_of_training_only():
    made, plain = decoder(dropout=0.5, seed=0), decoder()
    close(made(IDS, MEMORY), numpy(plain(IDS, MEMORY)))
    trained = numpy(made(IDS, MEMORY, training=True))
    assert np.abs(trained - numpy(plain(IDS, MEMORY))).max() > 0.01


@pytest.mark.parametrize(
    "attention, regions", [(True, None), (False, None), (True, 3)]
)
@pytest.mark.slow
def test_everything_learns(attention, regions):
    keras.utils.set_random_seed(0)
    model = up_down_captioner(
        (16, 24, 3), TOKENS, 4, attention, regions=regions, **PRESETS["tiny"]
    )
    model.compile(keras.optimizers.Adam(0.01), SentenceCrossentropy())
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (3, 16, 24, 3)).astype("float32")
    words = np.pad(IDS[:, 1:], ((0, 0), (0, 1)))
    inputs = {"image": image, "target_ids": IDS}
    if regions:
        inputs["boxes"] = generator.uniform(-1, 0, (3, 3, 4)).astype("float32")
        inputs["boxes"][..., 2:] += 1
    before = {v.path: numpy(v).copy() for v in model.trainable_variables}
    for _ in range(3):
        model.train_on_batch(inputs, words)
    for variable in model.trainable_variables:
        assert (numpy(variable) != before[variable.path]).any(), variable.path


def test_refuses_a_picture_that_does_not_fit_its_grid():
    with pytest.raises(ValueError, match=r"input_shape=\(18, 24, 3\)"):
        up_down_captioner((18, 24, 3), TOKENS, 4, **PRESETS["tiny"])


@pytest.mark.parametrize("count", [0, -1, 2.0, "3"])
def test_refuses_what_is_no_number_of_regions(count):
    with pytest.raises(ValueError, match="`regions` must be a positive int"):
        up_down_captioner(
            (16, 24, 3), TOKENS, 4, regions=count, **PRESETS["tiny"]
        )
