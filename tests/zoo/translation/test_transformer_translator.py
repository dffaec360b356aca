"""The Transformer as a translator: its ends, its blocks, its promises."""

import keras
import numpy as np
import pytest

from tests.numbers import close, numpy, randomize
from tests.zoo.contract import check_decoder
from tests.zoo.translation.memories import (
    SOURCE,
    SOURCE_IDS,
    TARGET,
    TARGET_IDS,
    memory,
    shapes_of,
)
from zoo.translation.transformer_translator import (
    PRESETS,
    TransformerSpeaker,
    transformer_translator,
)

DEPTH = 8
INPUTS = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}


def shapes(layers=None):
    if layers is None:
        return {"values": DEPTH}
    return {f"values_{place}": DEPTH for place in range(layers)}


def speaker(layers=2, mixes=None, **options):
    made = TransformerSpeaker(
        *(TARGET, DEPTH, layers),
        num_heads=2,
        intermediate_dim=12,
        length=4,
        **options,
    )
    made.build((None, None), shapes_of(memory(shapes(mixes))))
    randomize(made, seed=1)
    table = made.embedding.embeddings
    table.assign(4 * numpy(table))
    return made


def tiny(**options):
    return transformer_translator(
        SOURCE, 4, TARGET, 4, **{**PRESETS["tiny"], **options}
    )


def waves(length, depth):
    places = np.arange(length)[:, None]
    angles = places / 10000 ** (np.arange(0, depth, 2) / depth)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, depth)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("normalize_first", [True, False])
def test_the_ends_are_the_papers_around_the_blocks(tied, normalize_first):
    made = speaker(tied=tied, normalize_first=normalize_first)
    read = memory(shapes())
    table = numpy(made.embedding.embeddings).astype("float64")
    x = table[TARGET_IDS] * DEPTH**0.5 + waves(4, DEPTH)
    for block in made.blocks:
        x = block(x, read["values"], memory_mask=read["mask"])
    if normalize_first:
        x = made.norm(x)
    last = table.T if tied else numpy(made.logits.kernel)
    close(made(TARGET_IDS, read), numpy(x) @ last, 1e-4, 1e-4)


def test_the_encoder_adds_waves_to_scaled_words():
    encoder = tiny(normalize_first=True).get_layer("encoder")
    randomize(encoder, seed=2)
    table = numpy(encoder.get_layer("source_embedding").embeddings)
    x = table[SOURCE_IDS] * 8**0.5 + waves(4, 8)
    for place in range(2):
        block = encoder.get_layer(f"reading_{place}")
        x = block(x, mask=SOURCE_IDS != 0)
    expected = numpy(encoder.get_layer("norm_0")(x))
    found = encoder(SOURCE_IDS)
    seen = SOURCE_IDS != 0
    close(numpy(found["values"])[seen], expected[seen], 1e-4, 1e-5)
    np.testing.assert_array_equal(numpy(found["mask"]), seen)


def test_a_transparent_decoder_reads_a_mean_for_each_block():
    model = tiny(transparent=True, decoder_layers=3)
    encoder = model.get_layer("encoder")
    randomize(encoder, seed=2)
    mixing = encoder.get_layer("mixing")
    assert mixing.logits.shape == (3, 3)  # the words and two blocks, by three
    shares = np.exp(numpy(mixing.logits))
    shares /= shares.sum(axis=0)
    table = numpy(encoder.get_layer("source_embedding").embeddings)
    layers = [table[SOURCE_IDS] * 8**0.5 + waves(4, 8)]
    for place in range(2):
        block = encoder.get_layer(f"reading_{place}")
        layers.append(numpy(block(layers[-1], mask=SOURCE_IDS != 0)))
    found, seen = encoder(SOURCE_IDS), SOURCE_IDS != 0
    for place in range(3):
        mean = sum(s * x for s, x in zip(shares[:, place], layers))
        close(numpy(found[f"values_{place}"])[seen], mean[seen], 1e-4, 1e-4)
    made = speaker(3, mixes=3)
    read = memory(shapes(3))
    before = numpy(made(TARGET_IDS, read))
    for place in range(3):
        changed = dict(read, **{f"values_{place}": 1 + read["values_0"]})
        assert abs(numpy(made(TARGET_IDS, changed)) - before).max() > 1e-3


@pytest.mark.parametrize("tied, tables", [("all", 1), ("target", 2), (None, 3)])
def test_tied_tables_are_one(tied, tables):
    model = transformer_translator(
        7, 4, 7, 4, **{**PRESETS["tiny"], "tied": tied}
    )
    of_words = [w for w in model.trainable_weights if 7 in w.shape]
    assert len(of_words) == tables


def test_all_tied_needs_one_vocabulary():
    with pytest.raises(ValueError, match="shared=True.*size=9.*size=5"):
        tiny(tied="all")


@pytest.mark.parametrize(
    "options, message",
    [({"tied": "both"}, "tied='both'"), ({"dropout": 1}, "dropout=1")],
)
def test_refuses_what_is_unknown(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


@pytest.mark.parametrize("mixes", [None, 2])
@pytest.mark.parametrize("normalize_first", [True, False])
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(mixes, normalize_first, tmp_path):
    made = speaker(2, mixes, normalize_first=normalize_first)
    read, padded = (memory(shapes(mixes), x, rows=2) for x in (0.0, 9.0))
    check_decoder(made, read, padded, tmp_path, 3)


def test_no_word_knows_a_later_one():
    model = tiny()
    randomize(model, seed=4)
    before = numpy(model(INPUTS))
    changed = TARGET_IDS.copy()
    changed[:, 2] = 2
    after = numpy(model({**INPUTS, "target_ids": changed}))
    close(after[:, :2], before[:, :2], 0, 0)
    assert abs(after[:, 2:] - before[:, 2:]).max() > 1e-3


def test_what_is_behind_a_text_changes_nothing():
    model = tiny(transparent=True, normalize_first=True)
    randomize(model, seed=4)
    longer = np.pad(SOURCE_IDS, ((0, 0), (0, 3)))
    before = numpy(model(INPUTS))
    close(model({**INPUTS, "source_ids": longer}), before, 1e-5, 1e-5)


def test_an_empty_text_has_an_empty_translation():
    made, read = speaker(), memory(shapes())
    read["mask"][1] = False
    logits = numpy(made(TARGET_IDS, read))
    assert np.isfinite(logits).all() and (logits[1].argmax(-1) == 0).all()
    assert (logits[1, :, 0] - logits[1, :, 1:].max(-1) == 30).all()


def test_maps_are_means_of_heads_and_of_each_block_when_stepped():
    made, read = speaker(), memory(shapes())
    _, weights = made(TARGET_IDS, read, return_attention_scores=True)
    state, seen = made.begin(read), []
    for index in range(4):
        last = keras.ops.convert_to_tensor(TARGET_IDS[:, index])
        _, state, maps = made.step(last, index, state, read)
        assert set(maps) == {"block_0", "block_1"}
        seen.append(sum(numpy(x).mean(axis=1) for x in maps.values()) / 2)
    close(weights, np.stack(seen, axis=1), 1e-4, 1e-5)
    close(numpy(weights).sum(axis=-1), np.ones((3, 4)), 1e-5, 1e-5)
