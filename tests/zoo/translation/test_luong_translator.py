"""Luong's translator against NumPy, written from the paper's sections 2, 3."""

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
from zoo.translation.luong_translator import (
    PRESETS,
    LuongDecoder,
    luong_translator,
)

UNITS, WIDTH, LAYERS = 4, 3, 2
SHAPES = {
    "values": UNITS,
    **{f"hidden_{place}": UNITS for place in range(LAYERS)},
    **{f"cell_{place}": UNITS for place in range(LAYERS)},
}
KINDS = [
    ("global", "dot"),
    ("global", "general"),
    ("global", "concat"),
    ("global", "location"),
    ("local_m", "general"),
    ("local_p", "dot"),
    (None, "general"),
]
WINDOW = 1


def decoder(attention="global", score="general", feeding=True, size=2.0):
    made = LuongDecoder(
        *(TARGET, attention, score, WINDOW),
        max_length=6,
        input_feeding=feeding,
        embedding_dim=WIDTH,
        units=UNITS,
        num_layers=LAYERS,
    )
    made.build((None, None), shapes_of(memory(SHAPES)))
    randomize(made, seed=1)
    for variable in made.trainable_variables:
        variable.assign(size * numpy(variable))
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(w, name, x, state):
    hidden, cell = state
    z = x @ w[f"{name}/kernel"] + hidden @ w[f"{name}/recurrent_kernel"]
    i, f, g, o = np.split(z + w[f"{name}/bias"], 4, axis=1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def found(w, ending, beginning=""):
    """The weight whose path begins and ends so."""
    (path,) = [
        path
        for path in w
        if path.startswith(beginning) and path.endswith(ending)
    ]
    return w[path]


def scores(made, w, query, values):
    """`score(h_t, h_s)` for all s."""
    if made.score == "dot":
        return np.einsum("bd,bsd->bs", query, values)
    if made.score == "location":
        return (query @ found(w, "/kernel", "look"))[:, : values.shape[1]]
    kernel = found(w, "/kernel", "look")
    if made.score == "general":
        return np.einsum("bd,de,bse->bs", query, kernel, values)
    hidden = np.tanh(
        (query @ kernel[: len(kernel) // 2])[:, None]
        + values @ kernel[len(kernel) // 2 :]
    )
    return hidden @ found(w, "score_vector")


def weights_by_hand(made, w, query, values, mask, place):
    exponents = scores(made, w, query, values)
    seen, nearness = mask, np.ones(mask.shape)
    places = np.arange(values.shape[1])
    if made.attention == "local_m":
        seen = mask & (abs(places - place) <= WINDOW)
    if made.attention == "local_p":
        hidden = np.tanh(query @ found(w, "position_kernel"))
        centre = mask.sum(axis=1) * sigmoid(
            hidden @ found(w, "position_vector")
        )
        centre = centre[:, None]
        seen = mask & (abs(places - np.floor(centre)) <= WINDOW)
        nearness = np.exp(-((places - centre) ** 2) / (2 * (WINDOW / 2) ** 2))
    shares = np.where(seen, np.exp(exponents), 0)
    total = shares.sum(axis=1, keepdims=True)
    shares = np.divide(
        shares, total, out=np.zeros_like(shares), where=total > 0
    )
    return shares * nearness


def by_hand(made, memory, ids):
    """Logits and weights in float64."""
    w = {
        v.path.split("/", 1)[-1]: numpy(v).astype("float64")
        for v in made.weights
    }
    values, mask = memory["values"].astype("float64"), memory["mask"]
    states = [
        (memory[f"hidden_{place}"], memory[f"cell_{place}"])
        for place in range(LAYERS)
    ]
    vector = np.zeros((len(ids), UNITS))
    logits, weights = [], []
    for step, last in enumerate(ids.T):
        x = w["embedding/embeddings"][last]
        if made.input_feeding:
            x = np.concatenate([x, vector], axis=1)
        for place in range(LAYERS):
            states[place] = lstm(w, f"cell_{place}", x, states[place])
            x = states[place][0]
        if made.attention:
            shares = weights_by_hand(made, w, x, values, mask, step)
            weights.append(shares)
            context = np.einsum("bs,bsd->bd", shares, values)
            x = np.concatenate([context, x], axis=1)
        vector = np.tanh(x @ w["combine/kernel"])
        logits.append(vector @ w["logits/kernel"] + w["logits/bias"])
    return np.stack(logits, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("attention, score", KINDS)
@pytest.mark.parametrize("feeding", [True, False])
def test_the_decoder_equals_the_papers_equations(attention, score, feeding):
    made, read = decoder(attention, score, feeding), memory(SHAPES)
    logits, weights = by_hand(made, read, TARGET_IDS)
    close(made(TARGET_IDS, read), logits, 1e-4, 1e-4)
    if attention is None:
        with pytest.raises(ValueError, match="attention=None"):
            made(TARGET_IDS, read, return_attention_scores=True)
        return
    said, maps = made(TARGET_IDS, read, return_attention_scores=True)
    close(said, logits, 1e-4, 1e-4)
    close(maps, weights, 1e-4, 1e-5)
    assert weights[0].max() > 0.35  # it does look somewhere


@pytest.mark.parametrize(
    "attention, score",
    [
        ("global", "concat"),
        ("global", "location"),
        ("local_m", "general"),
        ("local_p", "general"),
        (None, "general"),
    ],
)
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(attention, score, tmp_path):
    made = decoder(attention, score, size=2.5)
    read, padded = (memory(SHAPES, x, rows=2) for x in (0.0, 9.0))
    check_decoder(made, read, padded, tmp_path, 3)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_encoder_ends_where_it_read_last(reverse):
    model = luong_translator(
        SOURCE, 4, TARGET, 4, reverse=reverse, **PRESETS["tiny"]
    )
    encoder = model.get_layer("encoder")
    randomize(encoder, seed=3)
    read = {k: numpy(v) for k, v in encoder(SOURCE_IDS).items()}
    w = {v.path: numpy(v).astype("float64") for v in encoder.weights}
    table = found(w, "embeddings")
    lower, upper = (
        {
            f"x/{path.rsplit('/', 1)[1]}": x
            for path, x in w.items()
            if path.startswith(f"reading_{place}")
        }
        for place in range(2)
    )
    order = -1 if reverse else 1
    for row, ids in enumerate(SOURCE_IDS):
        words = table[ids[ids != 0]][:, None][::order]
        states = [(np.zeros((1, 12)),) * 2] * 2
        above = []
        for word in words:
            states[0] = lstm(lower, "x", word, states[0])
            states[1] = lstm(upper, "x", states[0][0], states[1])
            above.append(states[1][0][0])
        close(read["values"][row, : len(words)], above[::order], 1e-4, 1e-5)
        for place in range(2):
            close(read[f"hidden_{place}"][row], states[place][0][0], 1e-4, 1e-5)
            close(read[f"cell_{place}"][row], states[place][1][0], 1e-4, 1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"attention": "local"}, "`attention` must be.*attention='local'"),
        ({"score": "mlp"}, "`score` must be one of.*score='mlp'"),
        (
            {"score": "location", "attention": "local_p"},
            "for `attention=\"global\"`.*attention='local_p'",
        ),
        ({"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_refuses_what_is_unknown_or_does_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        luong_translator(9, 4, 9, 4, **options)


def test_a_decoder_is_made_again_from_its_configuration():
    made, read = decoder("local_m", feeding=False), memory(SHAPES)
    again = LuongDecoder.from_config(made.get_config())
    again.build((None, None), shapes_of(read))
    again.set_weights(made.get_weights())
    close(again(TARGET_IDS, read), numpy(made(TARGET_IDS, read)), 0, 1e-6)


def test_a_source_longer_than_there_are_locations_is_refused():
    made, read = decoder("global", "location"), memory(SHAPES)
    longer = {
        name: np.repeat(x, 2, axis=1) if name in ("values", "mask") else x
        for name, x in read.items()
    }
    with pytest.raises(ValueError, match="max_length"):
        made(TARGET_IDS, longer)
