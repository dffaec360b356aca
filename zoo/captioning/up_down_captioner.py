"""Up-Down: a caption by two LSTMs, of which one looks and the other speaks.

The captioner of Anderson et al. (2018). The image is a set of regions `v_i`,
and `vbar` is their mean. At each word

    h1_t = LSTM1([h2_{t-1}; vbar; E y_{t-1}], h1_{t-1})
    alpha_t = softmax over i of w . tanh(W_v v_i + W_h h1_t)
    vhat_t = sum_i alpha_ti v_i
    h2_t = LSTM2([vhat_t; h1_t], h2_{t-1})
    p(y_t) = softmax(W_p h2_t + b_p)

So the attention LSTM knows what was said last before it looks, and the language
LSTM speaks by what is seen at once.

Departures: the features are those of a small network that is trained along,
and end in the region's coordinates, where the paper has a detector trained on
Visual Genome. The regions are the places of the network's grid; or, with
`regions`, given boxes, in which the grid is pooled.

Reference: Anderson et al., "Bottom-Up and Top-Down Attention for Image
Captioning and Visual Question Answering", CVPR 2018, section 3.2,
https://arxiv.org/abs/1707.07998.
"""

import keras
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.functional import mean_pool
from keras_attention.sequence.top_down_attention import TopDownAttention
from zoo.picture_grids import grid_encoder, grid_of
from zoo.picture_regions import RegionsOfGrid

PRESETS = {
    "tiny": {
        "filters": [8, 8],
        "units": 16,
        "embedding_dim": 8,
        "attention_units": 8,
    },
    "scenes": {
        "filters": [32, 48, 64],
        "units": 128,
        "embedding_dim": 32,
        "attention_units": 64,
    },
}


def up_down_captioner(
    input_shape,
    target_vocabulary_size,
    target_length,
    attention=True,
    filters=(32, 48, 64),
    units=128,
    embedding_dim=32,
    attention_units=64,
    dropout=0.0,
    regions=None,
    backbone=None,
    backbone_stride=None,
    backbone_attention=None,
    name="up_down_captioner",
):
    """Builds the captioner; the words before in, logits of the words out.

    Args:
        input_shape: `(H, W, C)`, multiples of `2 ** len(filters)`; with
            `backbone` any `(H, W, 3)` that it takes. The weights fit any of
            these: a place is told by its share of the image.
        target_vocabulary_size: Integer, the words, the special ones included.
        target_length: Positive integer, words of a caption, its end included.
        attention: Boolean. Without it, to compare with, `vhat_t` is `vbar`.
        filters: Integers, the convolutions of the encoder.
        units: Positive integer, the width of both LSTMs.
        embedding_dim: Positive integer, the width of a word.
        attention_units: Positive integer, the width of the scoring network.
        dropout: Float in [0, 1). Share of what is set to zero before the
            logits.
        regions: Positive integer, how many boxes of an image it is given; or
            `None`: the regions are the places of the grid.
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
        `(B, target_length, target_vocabulary_size)`; with `regions` also from
        `boxes` `(B, regions, 4)`, as `RegionsOfGrid` takes them.

    Raises:
        ValueError: If a size or the backbone does not fit.

    Example:

    >>> model = up_down_captioner((32, 32, 3), 20, 6, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 6, 20)
    """
    encoder = grid_encoder(
        input_shape,
        filters,
        coordinates=regions is None,
        backbone=backbone,
        backbone_stride=backbone_stride,
        backbone_attention=backbone_attention,
    )
    grid = grid_of(encoder)
    # Pinned, whatever Keras's global `floatx` is.
    image = keras.Input(input_shape, dtype="float32", name="image")
    target_ids = keras.Input((target_length,), dtype="int32", name="target_ids")
    inputs, seen = {"image": image}, image
    if regions is not None:
        encoder = _with_boxes(encoder, grid, regions)
        boxes = keras.Input((regions, 4), dtype="float32", name="boxes")
        inputs = seen = {"image": image, "boxes": boxes}
    logits = UpDownDecoder(
        target_vocabulary_size,
        grid if regions is None else None,
        attention,
        units,
        embedding_dim,
        attention_units,
        dropout,
        name="decoder",
    )(target_ids, encoder(seen))
    return keras.Model({**inputs, "target_ids": target_ids}, logits, name=name)


def _with_boxes(encoder, grid, regions):
    """The encoder of an image's places as one of an image and boxes."""
    check_sizes("how many boxes of an image are read", regions=regions)
    boxes = keras.Input((regions, 4), dtype="float32", name="boxes")
    memory = RegionsOfGrid(grid, name="encoder_regions")(encoder.output, boxes)
    inputs = {"image": encoder.input, "boxes": boxes}
    return keras.Model(inputs, memory, name=encoder.name)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class UpDownDecoder(keras.layers.Layer):
    """Says a caption by an attention LSTM and a language LSTM.

    A decoder as `zoo.decoding.beam_search` takes it: `begin`, `step`, `call`.

    Args:
        vocabulary_size: Positive integer.
        grid: `(h, w)`, how the places of the memory lie, row by row; or `None`:
            the memory is of given regions.
        attention: Boolean. Without it all places are seen alike.
        units: Positive integer. Width of both LSTMs.
        embedding_dim: Positive integer. Width of a word.
        attention_units: Positive integer. Width of the scoring network.
        dropout: Float in [0, 1).
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word.
        memory: `(B, h * w, D)`; without a grid a dict of `regions`,
            `(B, K, D)`, and `mask`, boolean `(B, K)`, `True` where there is
            one. What it hides gets no weight, and changes nothing.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With
        `return_attention_scores=True` `(logits, weights)`, the latter
        `(B, T, h, w)`, or `(B, T, K)`.

    Raises:
        ValueError: If there are no weights to return.
    """

    length = None  # it goes on for as long as it is asked

    def __init__(
        self,
        vocabulary_size,
        grid,
        attention=True,
        units=128,
        embedding_dim=32,
        attention_units=64,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.grid = None if grid is None else tuple(grid)
        self.attention = attention
        self.units = units
        self.embedding_dim = embedding_dim
        self.attention_units = attention_units
        self.dropout = dropout
        self.seed = seed
        # Named after the input whose regions they are of.
        self._map = "boxes_attention" if grid is None else "attention"
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            vocabulary_size, embedding_dim, dtype=policy, name="embedding"
        )
        self.looking = keras.layers.LSTMCell(
            units, dtype=policy, name="looking"
        )
        if attention:
            self.look = TopDownAttention(
                attention_units, dtype=policy, name="look"
            )
        self.speaking = keras.layers.LSTMCell(
            units, dtype=policy, name="speaking"
        )
        self.drop = keras.layers.Dropout(
            dropout, seed=seed, dtype=policy, name="drop"
        )
        # Probabilities are taken of them, which needs float32.
        self.logits = keras.layers.Dense(
            vocabulary_size, dtype="float32", name="logits"
        )

    def build(self, target_ids_shape, memory_shape):
        if self.grid is None:
            memory_shape = memory_shape["regions"]
        depth = memory_shape[-1]
        self.embedding.build((None,))
        self.looking.build((None, self.units + depth + self.embedding_dim))
        if self.attention:
            self.look.build((None, 1, self.units), (None, None, depth))
        self.speaking.build((None, depth + self.units))
        self.logits.build((None, self.units))

    def compute_output_spec(
        self,
        target_ids,
        memory,
        return_attention_scores=False,
        training=None,
    ):
        batch, steps = target_ids.shape
        logits = keras.KerasTensor(
            (batch, steps, self.vocabulary_size), dtype="float32"
        )
        if not return_attention_scores:
            return logits
        grid = self.grid or memory["regions"].shape[1:2]
        shape = (batch, steps, *grid)
        return logits, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def call(
        self,
        target_ids,
        memory,
        return_attention_scores=False,
        training=None,
    ):
        if return_attention_scores and not self.attention:
            raise ValueError(
                "There must be attention to look at. "
                f"Received: attention={self.attention!r}"
            )
        state, said, seen = self.begin(memory), [], []
        for index in range(target_ids.shape[1]):
            logits, state, maps = self.step(
                target_ids[:, index], index, state, memory, training
            )
            said.append(logits)
            seen.append(maps)
        logits = ops.stack(said, axis=1)
        if not return_attention_scores:
            return logits
        weights = [maps[self._map] for maps in seen]
        return logits, ops.stack(weights, axis=1)

    def begin(self, memory):
        memory, mask = self._regions(memory)
        if mask is None:
            mean = ops.mean(memory, axis=1)
        else:
            mean = mean_pool(memory, 1, mask[..., None])
        nothing = ops.zeros_like(mean[:, :1])
        nothing = ops.tile(nothing, (1, self.units))
        state = {"mean": mean}
        for name in ("looking", "speaking"):
            state[name] = {"hidden": nothing, "cell": nothing}
        if self.attention:
            state["projected"] = self.look.project(memory)
        return state

    def step(self, last, index, state, memory, training=None):
        memory, mask = self._regions(memory)
        heard = [
            state["speaking"]["hidden"],
            state["mean"],
            self.embedding(last),
        ]
        looking = _stepped(self.looking, heard, state["looking"])
        context, maps = state["mean"], {}
        if self.attention:
            context, weights = self.look.attend(
                looking["hidden"][:, None], state["projected"], memory, mask
            )
            context, weights = context[:, 0], weights[:, 0]
            if self.grid is not None:
                weights = ops.reshape(weights, (-1, *self.grid))
            maps = {self._map: weights}
        heard = [context, looking["hidden"]]
        speaking = _stepped(self.speaking, heard, state["speaking"])
        logits = self.logits(self.drop(speaking["hidden"], training=training))
        return logits, {**state, "looking": looking, "speaking": speaking}, maps

    def _regions(self, memory):
        """The features of all regions, and the mask, `None` for a grid."""
        mask = None
        if self.grid is None:
            memory, mask = memory["regions"], memory["mask"]
        return ops.cast(memory, self.compute_dtype), mask

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "grid": self.grid and list(self.grid),
            "attention": self.attention,
            "units": self.units,
            "embedding_dim": self.embedding_dim,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _stepped(cell, inputs, state):
    _, (hidden, cell_state) = cell(
        ops.concatenate(inputs, axis=-1), [state["hidden"], state["cell"]]
    )
    return {"hidden": hidden, "cell": cell_state}
