"""Show, Attend and Tell: a caption, word by word, each by where it looks.

The network of Xu et al. (2015). A convolutional network makes a grid of
features of the image; an LSTM says the words. Before each word its state says
where to look, and what is seen there goes into the next state:

    alpha_t = softmax over i of w . tanh(W_a a_i + W_h h_{t-1} + b)
    soft: z_t = beta_t sum_i alpha_ti a_i
    hard: z_t = beta_t a_i, i drawn by alpha_t in training, else the likeliest
    beta_t = sigmoid(w_b . h_{t-1} + b_b)
    h_t, c_t = LSTM([E y_{t-1}; z_t], h_{t-1}, c_{t-1})
    p(y_t) = softmax(L_o tanh(E y_{t-1} + L_h h_t + L_z z_t))

`h_0` and `c_0` are tanh of an affine map of the mean feature. The soft form
learns by `-log p(y)`, to which the doubly stochastic regulariser may be added;
the hard form by the score function, with a moving baseline, an entropy term,
and the soft context in half of the batches.

Departures: the encoder is a small network that is trained along (or any that
gives a grid), not a VGG network trained on ImageNet; a place's features end in
its coordinates. The regulariser is the mean over the batch of the sum over
places, and padded words are left out of it: the authors' code counts them. The
reward of the hard form is `log p(y)` of the whole caption, for every word.

Reference: Xu et al., "Show, Attend and Tell: Neural Image Caption Generation
with Visual Attention", ICML 2015, sections 3 and 4,
https://arxiv.org/abs/1502.03044.
"""

import keras
from keras import ops

from keras_attention.functional import (
    doubly_stochastic_penalty,
    weighted_sum,
)
from keras_attention.functional.estimators import score_function_loss
from keras_attention.sequence.hard_attention import HardAttention
from keras_attention.sequence.soft_visual_attention import SoftVisualAttention
from zoo.losses import counted, sentence_crossentropy
from zoo.own_loss import NetworkWithOwnLoss
from zoo.picture_grids import grid_encoder, grid_of

ATTENTIONS = ("soft", "hard", "none")

PRESETS = {
    "tiny": {
        "filters": [8, 8],
        "units": 16,
        "embedding_dim": 8,
        "attention_units": 8,
    },
    "scenes": {
        "filters": [32, 48, 64],
        "units": 64,
        "embedding_dim": 32,
        "attention_units": 64,
    },
}


def show_attend_tell(
    input_shape,
    target_vocabulary_size,
    target_length,
    attention="soft",
    filters=(32, 48, 64),
    units=128,
    embedding_dim=32,
    attention_units=64,
    dropout=0.0,
    stochastic_weight=0.0,
    score_weight=1.0,
    entropy_weight=0.002,
    backbone=None,
    backbone_stride=None,
    backbone_attention=None,
    name="show_attend_tell",
):
    """Builds the captioner; the words before in, logits of the words out.

    Args:
        input_shape: `(H, W, C)`, multiples of `2 ** len(filters)`; with
            `backbone` any `(H, W, 3)` that it takes. The weights fit any of
            these: a place is told by its share of the image.
        target_vocabulary_size: Integer, the words, the special ones included.
        target_length: Positive integer, words of a caption, its end included.
        attention: `"soft"`; `"hard"`; or, to compare with, `"none"`: the mean
            of all places at every word.
        filters: Integers, the convolutions of the encoder.
        units: Positive integer, the width of the LSTM.
        embedding_dim: Positive integer, the width of a word.
        attention_units: Positive integer, the width of the scoring network.
        dropout: Float in [0, 1). Share of what is set to zero before the
            logits.
        stochastic_weight: Float of at least 0, lambda. The weight of the doubly
            stochastic regulariser, of the soft form only.
        score_weight: Positive float, lambda_r. The weight of the score
            function's loss, of the hard form only.
        entropy_weight: Float of at least 0, lambda_e. The weight of the entropy
            of `alpha`, which is raised, of the hard form only.
        backbone: String, a name in `keras.applications` for the encoder, in
            place of `filters`; or `None`. Its weights begin at random:
            `zoo.backbones.load_backbone_weights` brings trained ones in.
        backbone_stride: Integer, pixels for a place, such as 16; `None` is the
            backbone's end, as a rule 32.
        backbone_attention: `"se"`, `"cbam"` or `"bam"`, put into the backbone
            before each of its residual sums; or `None`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `image` `(B, H, W, C)`, float 0 to 255, and
        `target_ids` `(B, target_length)` to logits
        `(B, target_length, target_vocabulary_size)`; a
        `zoo.own_loss.NetworkWithOwnLoss` where the loss has more terms.

    Raises:
        ValueError: If a size or the backbone does not fit, `attention` is
            unknown, or a weight is out of range.

    Example:

    >>> model = show_attend_tell((32, 32, 3), 20, 6, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 6, 20)
    """
    for term, weight in (
        ("stochastic_weight", stochastic_weight),
        ("score_weight", score_weight),
        ("entropy_weight", entropy_weight),
    ):
        if not 0 <= weight < float("inf"):
            raise ValueError(
                f"`{term}` must be a finite number of at least 0, the weight "
                f"of a term of the loss. Received: {term}={weight}"
            )
    encoder = grid_encoder(
        input_shape,
        filters,
        backbone=backbone,
        backbone_stride=backbone_stride,
        backbone_attention=backbone_attention,
    )
    # Pinned, whatever Keras's global `floatx` is.
    image = keras.Input(input_shape, dtype="float32", name="image")
    target_ids = keras.Input((target_length,), dtype="int32", name="target_ids")
    decoder = AttendingDecoder(
        target_vocabulary_size,
        grid_of(encoder),
        attention,
        units,
        embedding_dim,
        attention_units,
        dropout,
        name="decoder",
    )
    inputs = {"image": image, "target_ids": target_ids}
    logits, more = decoder(target_ids, encoder(image), return_more=True)
    if attention == "hard":

        def own_loss(words, logits, more):
            return hard_loss(
                words,
                logits,
                **more,
                baseline=decoder.baseline,
                score_weight=score_weight,
                entropy_weight=entropy_weight,
            )

    elif attention == "soft" and stochastic_weight:

        def own_loss(words, logits, more):
            return stochastic_weight * doubly_stochastic_penalty(
                more["weights"], counted(words)
            )

    else:
        return keras.Model(inputs, logits, name=name)
    return NetworkWithOwnLoss(inputs, logits, more, own_loss, name=name)


def hard_loss(
    words,
    logits,
    log_probability,
    entropy,
    baseline=None,
    score_weight=1.0,
    entropy_weight=0.002,
):
    """What the hard form adds to `-log p(y | s)`, and its baseline's next step.

        - score_weight (log p(y | s) - b) sum_t log p(s_t)
        - entropy_weight sum_t H[alpha_t]
        b <- 0.9 b + 0.1 mean log p(y | s)

    Args:
        words: Integers `(B, T)`.
        logits: `(B, T, V)`.
        log_probability: `(B, T)`, of the place drawn at each word.
        entropy: `(B, T)`, of the weights at each word.
        baseline: `keras.Variable`, a number, which moves; or `None`, to compare
            with: `b` is zero.
        score_weight: Float.
        entropy_weight: Float.

    Returns:
        Float32 `(B,)`.
    """
    counts = ops.cast(counted(words), "float32")
    reward = ops.stop_gradient(-sentence_crossentropy(words, logits))
    total = ops.sum(counts * ops.cast(log_probability, "float32"), axis=-1)
    spread = ops.sum(counts * ops.cast(entropy, "float32"), axis=-1)
    expected = ops.zeros_like(reward)
    if baseline is not None:
        expected = expected + ops.convert_to_tensor(baseline)
    score = score_function_loss(total, reward, expected)
    loss = score_weight * score - entropy_weight * spread
    if baseline is not None:  # last, or the loss would be told the next one
        baseline.assign(0.9 * baseline + 0.1 * ops.mean(reward))
    return loss


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class AttendingDecoder(keras.layers.Layer):
    """Says a caption, looking at a place of the memory before each word.

    A decoder as `zoo.decoding.beam_search` takes it: `begin`, `step`, `call`.

    Args:
        vocabulary_size: Positive integer.
        grid: `(h, w)`, how the places of the memory lie, row by row.
        attention: `"soft"`, `"hard"` or `"none"`.
        units: Positive integer. Width of the LSTM.
        embedding_dim: Positive integer. Width of a word.
        attention_units: Positive integer. Width of the scoring network.
        dropout: Float in [0, 1).
        seed: Integer or `None`. Seed of the places drawn and the dropout.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word.
        memory: `(B, h * w, D)`.
        return_attention_scores: Boolean. Whether to return the weights too.
        return_more: Boolean. Whether to return what the loss needs too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With `return_more=True` also
        a dict of `weights`, `(B, T, h * w)`, of the soft form; of
        `log_probability` and `entropy`, float32 `(B, T)`, of the hard form.
        With `return_attention_scores=True` the weights come last,
        `(B, T, h, w)`.

    Raises:
        ValueError: If `attention` is unknown, or there are none to return.
    """

    length = None  # it goes on for as long as it is asked

    def __init__(
        self,
        vocabulary_size,
        grid,
        attention="soft",
        units=128,
        embedding_dim=32,
        attention_units=64,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        if attention not in ATTENTIONS:
            raise ValueError(
                f"`attention` must be one of {ATTENTIONS}. "
                f"Received: attention={attention!r}"
            )
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.grid = tuple(grid)
        self.attention = attention
        self.units = units
        self.embedding_dim = embedding_dim
        self.attention_units = attention_units
        self.dropout = dropout
        self.seed = seed
        policy = self.dtype_policy
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.embedding = keras.layers.Embedding(
            vocabulary_size, embedding_dim, dtype=policy, name="embedding"
        )
        self.first_hidden = self._dense(units, "first_hidden", "tanh")
        self.first_cell = self._dense(units, "first_cell", "tanh")
        self.cell = keras.layers.LSTMCell(units, dtype=policy, name="cell")
        if attention == "soft":
            self.look = SoftVisualAttention(
                attention_units, dtype=policy, name="look"
            )
        elif attention == "hard":
            self.look = HardAttention(
                "additive",
                "reinforce",
                units=attention_units,
                seed=seed,
                dtype=policy,
                name="look",
            )
            self.gate = self._dense(1, "gate", "sigmoid")
        self.of_state = self._dense(embedding_dim, "of_state")
        self.of_seen = self._dense(embedding_dim, "of_seen", use_bias=False)
        self.drop = keras.layers.Dropout(
            dropout, seed=seed, dtype=policy, name="drop"
        )
        # Probabilities are taken of them, which needs float32.
        self.logits = keras.layers.Dense(
            vocabulary_size, dtype="float32", name="logits"
        )

    def _dense(self, units, name, activation=None, use_bias=True):
        return keras.layers.Dense(
            units,
            activation=activation,
            use_bias=use_bias,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, target_ids_shape, memory_shape):
        depth = memory_shape[-1]
        self.embedding.build((None,))
        for layer in (self.first_hidden, self.first_cell):
            layer.build((None, depth))
        self.cell.build((None, self.embedding_dim + depth))
        if self.attention != "none":
            self.look.build((None, 1, self.units), (None, None, depth))
        if self.attention == "hard":
            self.gate.build((None, self.units))
            self.baseline = self.add_weight(
                name="baseline",
                shape=(),
                initializer="zeros",
                dtype="float32",
                trainable=False,
            )
        self.of_state.build((None, self.units))
        self.of_seen.build((None, depth))
        self.logits.build((None, self.embedding_dim))

    def compute_output_spec(
        self,
        target_ids,
        memory,
        return_attention_scores=False,
        return_more=False,
        training=None,
    ):
        batch, steps = target_ids.shape
        outputs = [self._spec((batch, steps, self.vocabulary_size), "float32")]
        if return_more:
            places = memory.shape[1]
            specs = {
                "soft": {
                    "weights": self._spec(
                        (batch, steps, places), self.compute_dtype
                    )
                },
                "hard": {
                    "log_probability": self._spec((batch, steps), "float32"),
                    "entropy": self._spec((batch, steps), "float32"),
                },
                "none": {},
            }
            outputs.append(specs[self.attention])
        if return_attention_scores:
            shape = (batch, steps, *self.grid)
            outputs.append(self._spec(shape, self.compute_dtype))
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    @staticmethod
    def _spec(shape, dtype):
        return keras.KerasTensor(shape, dtype=dtype)

    def call(
        self,
        target_ids,
        memory,
        return_attention_scores=False,
        return_more=False,
        training=None,
    ):
        if return_attention_scores and self.attention == "none":
            raise ValueError(
                "There must be attention to look at. "
                f"Received: attention={self.attention!r}"
            )
        memory = ops.cast(memory, self.compute_dtype)
        soft = self._soft_this_time() if training else None
        state, said = self.begin(memory), []
        for index in range(target_ids.shape[1]):
            logits, state, seen = self._say(
                target_ids[:, index], state, memory, training, soft
            )
            said.append({"logits": logits, **seen})
        said = keras.tree.map_structure(lambda *x: ops.stack(x, axis=1), *said)
        logits, weights = said.pop("logits"), said.get("weights")
        outputs = [logits]
        if return_more:
            if self.attention == "hard":
                del said["weights"]
            outputs.append(said)
        if return_attention_scores:
            shape = (-1, weights.shape[1], *self.grid)
            outputs.append(ops.reshape(weights, shape))
        return tuple(outputs) if len(outputs) > 1 else logits

    def begin(self, memory):
        mean = ops.mean(memory, axis=1)
        state = {
            "hidden": self.first_hidden(mean),
            "cell": self.first_cell(mean),
        }
        if self.attention == "soft":
            state["projected"] = self.look.project(memory)
        elif self.attention == "none":
            state["mean"] = mean
        return state

    def step(self, last, index, state, memory):
        memory = ops.cast(memory, self.compute_dtype)
        logits, state, seen = self._say(last, state, memory)
        if self.attention == "none":
            return logits, state, {}
        weights = ops.reshape(seen["weights"], (-1, *self.grid))
        return logits, state, {"attention": weights}

    def _say(self, last, state, memory, training=None, soft=None):
        """One word: logits, the next state, and how it looked."""
        context, seen = self._look(state, memory, training, soft)
        word = self.embedding(last)
        _, (hidden, cell) = self.cell(
            ops.concatenate([word, context], axis=-1),
            [state["hidden"], state["cell"]],
        )
        deep = ops.tanh(word + self.of_state(hidden) + self.of_seen(context))
        logits = self.logits(self.drop(deep, training=training))
        return logits, {**state, "hidden": hidden, "cell": cell}, seen

    def _look(self, state, memory, training, soft):
        """The context by the state before the word, and the weights."""
        if self.attention == "none":
            return state["mean"], {}
        query = state["hidden"][:, None]
        if self.attention == "soft":
            context, weights = self.look.attend(
                query, state["projected"], memory
            )
            return context[:, 0], {"weights": weights[:, 0]}
        context, log_probability, weights = self.look(
            query,
            memory,
            return_log_probability=True,
            return_attention_scores=True,
            training=training,
        )
        log_probability = ops.cast(log_probability, "float32")
        if soft is not None:
            expected = weighted_sum(weights, memory)
            context = ops.where(soft, expected, context)
            # Nothing was drawn then.
            log_probability = ops.where(soft, 0.0, log_probability)
        shares = ops.cast(weights[:, 0], "float32")
        logs = ops.log(ops.maximum(shares, 1e-30))
        seen = {
            "weights": weights[:, 0],
            "log_probability": log_probability[:, 0],
            "entropy": -ops.sum(shares * logs, axis=-1),
        }
        return self.gate(state["hidden"]) * context[:, 0], seen

    def _soft_this_time(self):
        """Whether this batch reads the soft context, to vary less; half do."""
        if self.attention != "hard":
            return None
        drawn = keras.random.uniform(
            (), dtype="float32", seed=self.seed_generator
        )
        return drawn < 0.5

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "grid": list(self.grid),
            "attention": self.attention,
            "units": self.units,
            "embedding_dim": self.embedding_dim,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "seed": self.seed,
        }
