"""Luong's translator: it reads, says, and looks after each of its steps.

The network of Luong et al. (2015). LSTMs, one above the other, read the source;
others go on from where these ended. The state after a step says where to look,
and what is read there makes the attentional vector, of which the word is told:

    h_t = LSTMs([E_y y_{t-1}; h~_{t-1}])
    a_t = softmax over s of score(h_t, h_s)
    c_t = sum_s a_t(s) h_s
    h~_t = tanh(W_c [c_t; h_t])
    p(y_t) = softmax(W_s h~_t)

`h~_{t-1}` beside the word is input feeding. The score is `h_t . h_s` ("dot"),
`h_t . W h_s` ("general"), `v . tanh(W [h_t; h_s])` ("concat"), or `W h_t`, one
number for each place ("location"). Local attention looks at a window only,
around the place `t` ("local_m") or one that the state predicts ("local_p").

Departures: words are pieces of words, the source has no mark at its end and is
read forwards unless `reverse=True`, and the logits have biases. Without
attention `h~_t = tanh(W_c h_t)`. An empty text has an empty translation.

Reference: Luong, Pham, Manning, "Effective Approaches to Attention-based Neural
Machine Translation", EMNLP 2015, sections 2 and 3,
https://arxiv.org/abs/1508.04025.
"""

import keras
from keras import ops

from keras_attention.sequence.attention_layer import AttentionLayer
from keras_attention.sequence.local_attention import LocalAttention
from keras_attention.sequence.luong_attention import LuongAttention
from zoo.translation.recurrent_decoder import RecurrentDecoder
from zoo.translation.two_texts import check_dropout, translator

ATTENTIONS = ("global", "local_m", "local_p", None)
SCORES = ("dot", "general", "concat", "location")

PRESETS = {
    "tiny": {"embedding_dim": 8, "units": 12, "num_layers": 2},
    "dates": {"embedding_dim": 32, "units": 64, "num_layers": 1},
    "small": {
        "embedding_dim": 128,
        "units": 192,
        "num_layers": 1,
        "dropout": 0.3,
    },
}


def luong_translator(
    source_vocabulary_size,
    source_length,
    target_vocabulary_size,
    target_length,
    attention="global",
    score="general",
    window=10,
    input_feeding=True,
    reverse=False,
    embedding_dim=128,
    units=192,
    num_layers=1,
    dropout=0.0,
    name="luong_translator",
):
    """Builds the translator.

    Args:
        source_vocabulary_size: Integer, the words that are read, the special
            ones included.
        source_length: Positive integer, words that are read at most; of the
            weights only those of the score `"location"` depend on it.
        target_vocabulary_size: Integer, the words that are said.
        target_length: Positive integer, words that are said at most, the end
            included; nothing depends on it.
        attention: `"global"`, `"local_m"`, `"local_p"`, or `None`, to compare
            with.
        score: `"dot"`, `"general"`, `"concat"`, or, of global attention,
            `"location"`.
        window: Positive integer, of local attention: the places on each side
            of the centre that are seen.
        input_feeding: Boolean. Whether a step hears the attentional vector
            before it.
        reverse: Boolean. Whether the source is read from its end; the places
            that attention sees are those of the text all the same.
        embedding_dim: Positive integer, the width of a word.
        units: Positive integer, the width of the LSTMs and of the attentional
            vector.
        num_layers: Positive integer, the LSTMs above each other, on each side.
        dropout: Float in [0, 1). Share of what is set to zero of the vectors of
            words, between the LSTMs of the source, and before the logits.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `source_ids` `(B, S)` and `target_ids` `(B, T)`
        to logits `(B, T, target_vocabulary_size)`, as
        `zoo.translation.two_texts.translator` says.

    Raises:
        ValueError: If `dropout` is out of range, or `attention` or `score` is
            unknown, or one does not go with the other.

    Example:

    >>> model = luong_translator(300, 10, 280, 12, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 280)
    """
    check_dropout(dropout)
    _check(attention, score)
    encoder = _encoder(
        *(source_vocabulary_size, reverse, embedding_dim, units, num_layers),
        dropout,
    )
    decoder = LuongDecoder(
        target_vocabulary_size,
        attention,
        score,
        window,
        source_length,
        input_feeding,
        embedding_dim,
        units,
        num_layers,
        dropout=dropout,
        name="decoder",
    )
    return translator(encoder, decoder, name)


def _check(attention, score):
    if attention not in ATTENTIONS:
        raise ValueError(
            f"`attention` must be one of {ATTENTIONS}. "
            f"Received: attention={attention!r}"
        )
    if score not in SCORES:
        raise ValueError(
            f"`score` must be one of {SCORES}. Received: score={score!r}"
        )
    if score == "location" and attention in ("local_m", "local_p"):
        raise ValueError(
            'The score "location" has a number for each place of the source, '
            'and is for `attention="global"`. '
            f"Received: score={score!r}, attention={attention!r}"
        )


def _encoder(
    vocabulary_size, reverse, embedding_dim, units, num_layers, dropout
):
    """The states of the upper LSTM, and where each LSTM ended."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    mask = ops.not_equal(source_ids, 0)
    x = keras.layers.Embedding(
        vocabulary_size, embedding_dim, name="source_embedding"
    )(source_ids)
    memory = {"mask": mask}
    for place in range(num_layers):
        x = keras.layers.Dropout(dropout, name=f"dropout_{place}")(x)
        x, hidden, cell = keras.layers.LSTM(
            units,
            return_sequences=True,
            return_state=True,
            go_backwards=reverse,
            name=f"reading_{place}",
        )(x, mask=mask)
        if reverse:
            x = ops.flip(x, axis=1)
        memory |= {f"hidden_{place}": hidden, f"cell_{place}": cell}
    return keras.Model(source_ids, {**memory, "values": x}, name="encoder")


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class LuongDecoder(RecurrentDecoder):
    """Says a translation by LSTMs that look at the source after each step.

    Args:
        vocabulary_size: As in `RecurrentDecoder`, whose call arguments it has.
        attention: As of `luong_translator`.
        score: As there.
        window: As there.
        max_length: Positive integer, the longest source, of `"location"`.
        input_feeding: As there.
        embedding_dim: As there.
        units: As there.
        num_layers: As there.
        **kwargs: As in `RecurrentDecoder`.

    Call arguments:
        memory: Dict of `values` `(B, S, units)`, `mask`, boolean `(B, S)`, and
            for each LSTM, from the lowest, `hidden_0` and `cell_0`,
            `(B, units)`, the state at the end of the source's.
    """

    def __init__(
        self,
        vocabulary_size,
        attention="global",
        score="general",
        window=10,
        max_length=None,
        input_feeding=True,
        embedding_dim=128,
        units=192,
        num_layers=1,
        **kwargs,
    ):
        super().__init__(vocabulary_size, attention, embedding_dim, **kwargs)
        self.score = score
        self.window = window
        self.max_length = max_length
        self.input_feeding = input_feeding
        self.units = units
        self.num_layers = num_layers
        self.cells = [
            keras.layers.LSTMCell(
                units, dtype=self.dtype_policy, name=f"cell_{place}"
            )
            for place in range(num_layers)
        ]
        self.look = self._attention()
        self.combine = keras.layers.Dense(
            units,
            activation="tanh",
            use_bias=False,
            dtype=self.dtype_policy,
            name="combine",
        )
        self.changing = (
            *(f"hidden_{place}" for place in range(num_layers)),
            *(f"cell_{place}" for place in range(num_layers)),
            *(("vector",) if input_feeding else ()),
            *(("place",) if attention == "local_m" else ()),
        )

    def _attention(self):
        options = {"dtype": self.dtype_policy, "name": "look"}
        if self.attention is None:
            return None
        if self.attention in ("local_m", "local_p"):
            modes = {"local_m": "monotonic", "local_p": "predictive"}
            return LocalAttention(
                self.window, modes[self.attention], self.score, **options
            )
        if self.score == "location":
            return AttentionLayer(
                "location", max_length=self.max_length, **options
            )
        return LuongAttention(None, self.score, **options)

    def build(self, target_ids_shape, memory_shape):
        depth = memory_shape["values"][-1]
        heard = self.units if self.input_feeding else 0
        self.embedding.build((None, None))
        width = self.embedding_dim + heard
        for cell in self.cells:
            cell.build((None, width))
            width = self.units
        read = self.units
        if self.look is not None:
            self.look.build((None, 1, self.units), (None, None, depth))
            read += depth
        self.combine.build((None, read))
        self.logits.build((None, self.units))

    def begin(self, memory):
        state = {
            name: self.in_own_dtype(memory[name])
            for name in self.changing
            if name in memory
        }
        nothing = ops.zeros_like(state["hidden_0"])
        if self.input_feeding:
            state["vector"] = nothing
        if self.attention == "local_m":
            state["place"] = nothing[:, :1]
        return state

    def advanced(self, word, state, memory):
        state, weights = dict(state), None
        x = word
        if self.input_feeding:
            x = ops.concatenate([x, state["vector"]], axis=-1)
        for place, cell in enumerate(self.cells):
            names = f"hidden_{place}", f"cell_{place}"
            x, after = cell(x, [state[name] for name in names])
            state.update(zip(names, after))
        if self.look is not None:
            context, weights = self._looked(x, state, memory)
            x = ops.concatenate([context, x], axis=-1)
        vector = self.combine(x)
        if self.input_feeding:
            state["vector"] = vector
        if self.attention == "local_m":
            state["place"] = state["place"] + 1
        return vector, weights, state

    def _looked(self, query, state, memory):
        options = {}
        if self.attention == "local_m":
            options["positions"] = ops.cast(state["place"], "int32")
        context, weights = self.look(
            query[:, None],
            self.in_own_dtype(memory["values"]),
            value_mask=memory["mask"],
            return_attention_scores=True,
            **options,
        )
        return context[:, 0], weights[:, 0]

    def told(self, read, words, training=None):
        return self.logits(self.drop(read, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "window": self.window,
            "max_length": self.max_length,
            "input_feeding": self.input_feeding,
            "units": self.units,
            "num_layers": self.num_layers,
        }
