"""The translator by pervasive attention: its promises, and that it learns."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.numbers import close, numpy, randomize
from tests.zoo.contract import check_decoder
from zoo.decoding import beam_search
from zoo.losses import SentenceCrossentropy
from zoo.translation.pervasive_translator import (
    PRESETS,
    PervasiveDecoder,
    pervasive_translator,
)

DEPTH, TOKENS, START = 3, 5, 1
MEMORY = np.random.default_rng(0).normal(size=(3, 6, DEPTH)).astype("float32")
MASK = np.arange(6) < [[6], [4], [1]]
SOURCE = np.array([[4, 3, 2, 5, 3], [3, 5, 0, 0, 0], [0, 0, 0, 0, 0]], "int32")
TARGET = np.array([[1, 3, 4, 4], [1, 4, 2, 0], [1, 0, 0, 0]], "int32")


def decoder(seed=1, size=1.0, **options):
    sizes = {"embedding_dim": 4, "num_layers": 3, "growth_rate": 2}
    made = PervasiveDecoder(TOKENS, **sizes, **options)
    made.build(
        (None, None), {"values": (None, None, DEPTH), "mask": (None, None)}
    )
    randomize(made, seed)
    if made.tied:
        weight = made.projection.kernel
    else:
        weight = made.logits.kernel
    weight.assign(size * numpy(weight))
    return made


def translator(**options):
    keras.utils.set_random_seed(0)
    options = PRESETS["tiny"] | {"dropout": 0.0} | options
    return pervasive_translator(7, 5, 6, 4, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"aggregator": "max"},
        {"aggregator": "mean", "tied": False},
        {"aggregator": "attention", "kernel_size": 5},
    ],
    ids=lambda options: options["aggregator"],
)
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(options, tmp_path):
    made = decoder(size=3.0, **options)
    memory = {"values": MEMORY, "mask": MASK}
    other = np.where(MASK[..., None], MEMORY, 99).astype("float32")
    check_decoder(made, memory, {"values": other, "mask": MASK}, tmp_path, 3)


@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
def test_steps_say_what_the_model_says(aggregator):
    """Empty texts and words behind an end too."""
    model = translator(aggregator=aggregator, dropout=0.5, kernel_size=5)
    randomize(model)
    target = np.random.default_rng(1).integers(0, 6, (3, 12)).astype("int32")
    target[:, 0] = START
    taught = model({"source_ids": SOURCE, "target_ids": target})
    memory = model.get_layer("encoder")(SOURCE)
    speaker = model.get_layer("decoder")
    _, weights = speaker(target, memory, return_attention_scores=True)
    state, logits, maps = speaker.begin(memory), [], []
    for index in range(12):
        last = ops.convert_to_tensor(target[:, index])
        said, state, seen = speaker.step(last, index, state, memory)
        logits.append(numpy(said)), maps.append(numpy(seen["attention"]))
    close(np.stack(logits, 1), taught, rtol=1e-5, atol=1e-5)
    close(np.stack(maps, 1), weights, rtol=0, atol=1e-5)


def test_no_logit_knows_of_a_later_word():
    model = translator()
    randomize(model)
    before = numpy(model({"source_ids": SOURCE, "target_ids": TARGET}))
    for place in range(1, 4):
        other = TARGET.copy()
        other[:, place:] = (other[:, place:] + 1) % 6
        after = numpy(model({"source_ids": SOURCE, "target_ids": other}))
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert (np.abs(after - before)[:2, place].max(-1) > 1e-4).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
def test_no_padding_is_read_or_counted(aggregator, training):
    """A batch may be cut to its longest, in training too."""
    model = translator(aggregator=aggregator)
    randomize(model)
    weights = model.get_weights()
    found = []
    for source, target in ((0, 0), (3, 0), (0, 2), (3, 2)):
        model.set_weights(weights)
        inputs = {
            "source_ids": np.pad(SOURCE, ((0, 0), (0, source))),
            "target_ids": np.pad(TARGET, ((0, 0), (0, target))),
        }
        logits = numpy(model(inputs, training=training))[:, :4]
        found.append([logits, *map(numpy, model.non_trainable_variables)])
    for other in found[1:]:
        for one, known in zip(other, found[0], strict=True):
            close(one, known, rtol=1e-4, atol=1e-5)
    moved = zip(weights, model.get_weights())
    assert training == any((one != known).any() for one, known in moved)


def test_rows_behind_the_end_are_hidden_in_training_only():
    made = decoder()
    memory = {"values": MEMORY, "mask": MASK}
    ids = np.array([[1, 3, 0, 4, 2], [0, 3, 4, 2, 3], [1, 0, 3, 0, 4]], "int32")
    real = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], "bool")
    _, weights = made(ids, memory, return_attention_scores=True, training=True)
    assert not numpy(weights)[~real].any()
    close(numpy(weights).sum(-1), real)
    _, weights = made(ids, memory, return_attention_scores=True)
    close(numpy(weights).sum(-1), np.ones((3, 5)))
    assert not (numpy(weights) * ~MASK[:, None]).any()


def test_an_empty_text_has_finite_logits():
    model, none = translator(), np.zeros((3, 5), "int32")
    for training in (False, True):
        inputs = {"source_ids": none, "target_ids": TARGET}
        assert np.isfinite(numpy(model(inputs, training=training))).all()
    model.compile("sgd", SentenceCrossentropy())
    model.train_on_batch(inputs, TARGET)
    assert all(np.isfinite(numpy(v)).all() for v in model.variables)


@pytest.mark.slow
def test_learns_to_copy():
    """New texts, of another length than most, by steps."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)

    def texts(count):
        ids = generator.integers(3, 11, (count, 6)).astype("int32")
        return ids * (np.arange(6) < generator.integers(1, 7, (count, 1)))

    source = texts(1024)
    words = np.pad(source, ((0, 0), (0, 1)))
    target = np.pad(words[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    model = pervasive_translator(
        *(11, 6, 11, 7),
        embedding_dim=16,
        num_layers=3,
        growth_rate=8,
        dropout=0.05,
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        SentenceCrossentropy(),
        jit_compile=keras.backend.backend() != "torch",
    )
    inputs = {"source_ids": source, "target_ids": target}
    history = model.fit(inputs, words, batch_size=64, epochs=8, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.1 * losses[0], losses
    new = texts(100)
    memory = model.get_layer("encoder")(new)
    answers, maps = beam_search(
        model.get_layer("decoder"), memory, START, 7, beams=2
    )
    right = (numpy(answers["token_ids"])[:, :6] == new).all(axis=1)
    assert right.mean() > 0.9, right.mean()
    assert maps["attention"].shape == (100, 7, 6)


@pytest.mark.slow
@pytest.mark.parametrize("tied", ["target", None])
def test_everything_learns(tied):
    model = translator(tied=tied, aggregator="attention")
    before = {v.path: numpy(v).copy() for v in model.trainable_variables}
    model.compile(keras.optimizers.Adam(0.01), SentenceCrossentropy())
    for _ in range(3):
        inputs = {"source_ids": SOURCE, "target_ids": TARGET}
        model.train_on_batch(inputs, np.pad(TARGET[:, 1:], ((0, 0), (0, 1))))
    for variable in model.trainable_variables:
        moved = (numpy(variable) != before[variable.path]).any()
        # A softmax does not know how high its scores are.
        assert moved or variable.path.endswith("score_bias"), variable.path


def test_saves_and_loads(tmp_path):
    options = {"aggregator": "attention", "kernel_size": 5, "dropout": 0.3}
    model = translator(**options, tied=None)
    randomize(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    close(loaded(inputs), model(inputs), rtol=0, atol=1e-6)
    speaker = loaded.get_layer("decoder")
    assert speaker.get_config() == model.get_layer("decoder").get_config()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_in_full_precision(policy):
    made, plain = decoder(dtype=policy), decoder()
    memory = {"values": MEMORY, "mask": MASK}
    ids = np.array([[1, 3, 4]] * 3, "int32")
    logits, state = made(ids, memory), made.begin(memory)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    close(logits, numpy(plain(ids, memory)), rtol=0.1, atol=0.1)
    for index in range(3):
        said, after, maps = made.step(ids[:, index], index, state, memory)
        close(said, numpy(logits)[:, index], rtol=0.1, atol=0.05)
        for one, known in ((after["rows"], state["rows"]), (said, logits)):
            assert one.dtype == known.dtype
        state = after
    assert len(made.weights) == len(plain.weights)


def test_is_what_the_zoo_expects():
    model = translator()
    names = {x.name: tuple(x.shape) for x in model.inputs}
    assert names == {"source_ids": (None, None), "target_ids": (None, None)}
    assert all(x.dtype == "int32" for x in model.inputs)
    assert model.output_shape == (None, None, 6)
    assert {"encoder", "decoder"} <= {layer.name for layer in model.layers}
    memory = model.get_layer("encoder").output
    assert memory["values"].shape == (None, None, 8)
    assert memory["mask"].dtype == "bool"
    speaker = model.get_layer("decoder")
    ids = keras.KerasTensor((None, None), dtype="int32")
    logits, weights = speaker(ids, memory, return_attention_scores=True)
    assert logits.shape == (None, None, 6) and logits.dtype == "float32"
    assert weights.shape == (None, None, None)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"aggregator": "sum"}, "aggregator='sum'"),
        ({"kernel_size": 4}, "kernel_size=4"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"embedding_dim": 0}, "embedding_dim=0"),
        ({"tied": "all"}, "tied='all'"),
    ],
)
def test_refuses_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        translator(**options)
    with pytest.raises(ValueError, match="source_length=0"):
        pervasive_translator(7, 0, 6, 4)
