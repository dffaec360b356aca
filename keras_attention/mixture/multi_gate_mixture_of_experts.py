"""Multi-gate mixture of experts of Ma et al. (2018), and two of its kin."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    additive_scores,
    as_floats,
    dot_scores,
    masked_softmax,
    scaled_dot_scores,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing

GATES = ("input", "shared", "context")
SCORES = ("dot", "scaled_dot", "additive")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class MultiGateMixtureOfExperts(keras.layers.Layer):
    """MMoE: experts that all tasks share, mixed for each task by its own gate.

        expert[i] = activation(W[i] inputs + b[i])
        weights[k] = softmax over i of (V[k] inputs)[i]
        output[k] = sum_i weights[k, i] * expert[i]

    Tasks that have little in common can each rely on other experts, where a
    shared bottom would make them quarrel over one. What comes after, a tower
    for each task, is the model's.

    Args:
        num_experts: Positive integer, E.
        num_tasks: Positive integer, K.
        units: Positive integer. Width of an expert.
        gate: What a task's weights depend on. `"input"`: the inputs, by a
            matrix `V[k]` for each task (MMoE). `"shared"`: the inputs, by one
            matrix for all tasks, which then get the same mix (OMoE, the
            paper's baseline). `"context"`: the experts' outputs, scored
            against a vector that the task learned, whatever the inputs.
        score: How an expert is scored with `gate="context"`: `"dot"`,
            `c[k] . expert[i]`; `"scaled_dot"`, that over the root of `units`;
            `"additive"`, `v . tanh(c[k] + U expert[i])`. `None` is
            `"scaled_dot"`.
        activation: Of the experts, as in `keras.layers.Dense`.
        dropout: Float in [0, 1). In training, the chance that an expert is
            hidden from a gate, the weights of the others still summing to one;
            keeps a gate from settling on one expert (Zhao et al. 2019). If all
            were hidden, none is.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, D)`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether experts may be hidden.

    Returns:
        `(B, K, units)`; with `return_attention_scores=True` a pair with the
        weights, `(B, K, E)`, which sum to one over E.

    Raises:
        ValueError: If a size is not positive, a name is unknown, `score` is
            given to a gate that scores nothing, `dropout` is outside of
            [0, 1), or the inputs are not of rank 2.

    Example:

    >>> import numpy as np
    >>> layer = MultiGateMixtureOfExperts(num_experts=4, num_tasks=2, units=8)
    >>> output, weights = layer(
    ...     np.ones((3, 5), "float32"), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape), layer.count_params()
    ((3, 2, 8), (3, 2, 4), 232)

    Notation: `inputs` is x, `expert[i]` is f_i(x), `weights[k]` is g^k(x),
    `V[k]` is W_gk and `output[k]` is f^k(x) in the paper.

    Departures: `gate="context"` and `dropout` are not the paper's. A bilinear
    score would add nothing to `"dot"`: its matrix and the learned vector make
    one vector.

    Reference:
        Ma, Zhao, Yi, Chen, Hong, Chi. Modeling Task Relationships in
        Multi-task Learning with Multi-gate Mixture-of-Experts. KDD 2018,
        section 4, equations 6 and 7. https://doi.org/10.1145/3219819.3220007

        Zhao et al. Recommending What Video to Watch Next: A Multitask Ranking
        System. RecSys 2019. https://doi.org/10.1145/3298689.3346997
    """

    def __init__(
        self,
        num_experts,
        num_tasks,
        units,
        gate="input",
        score=None,
        activation="relu",
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "how many experts, how many tasks, and an expert's width",
            num_experts=num_experts,
            num_tasks=num_tasks,
            units=units,
        )
        if gate not in GATES:
            raise ValueError(
                f"`gate` must be one of {GATES}, what a task's weights depend "
                f"on. Received: gate={gate!r}"
            )
        if score is not None and (gate != "context" or score not in SCORES):
            raise ValueError(
                f'`score` must be one of {SCORES}, with gate="context", which '
                "scores the experts, or None. "
                f"Received: score={score!r}, gate={gate!r}"
            )
        check_share("dropout", dropout, "the chance that an expert is hidden")
        super().__init__(**kwargs)
        self.num_experts = num_experts
        self.num_tasks = num_tasks
        self.units = units
        self.gate = gate
        self.score = score
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                "The inputs must be a vector for each sample, (B, D). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        depth, units = input_shape[-1], self.units
        gates = 1 if self.gate == "shared" else self.num_tasks
        self.expert_kernel = self._kernel(
            "expert_kernel", (depth, self.num_experts, units)
        )
        self.expert_bias = self.add_weight(
            name="expert_bias",
            shape=(self.num_experts, units),
            initializer="zeros",
        )
        if self.gate != "context":
            self.gate_kernel = self._kernel(
                "gate_kernel", (depth, gates, self.num_experts)
            )
            return
        self.context_vectors = self._kernel("context_vectors", (gates, units))
        if self.score == "additive":
            self.score_kernel = self._kernel("score_kernel", (units, units))
            self.score_vector = self._kernel("score_vector", (units, 1))

    def call(self, inputs, return_attention_scores=False, training=None):
        inputs = as_floats(inputs, self.compute_dtype)
        experts = self.activation(
            _in_parallel(inputs, self.expert_kernel) + self.expert_bias
        )
        weights = masked_softmax(
            self._scores(inputs, experts), self._visible(inputs, training)
        )
        output = weighted_sum(weights, experts)
        if self.gate == "shared":
            weights = ops.repeat(weights, self.num_tasks, axis=1)
            output = ops.repeat(output, self.num_tasks, axis=1)
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "num_tasks": self.num_tasks,
            "units": self.units,
            "gate": self.gate,
            "score": self.score,
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def _kernel(self, name, shape):
        """Weights drawn as Glorot's, each matrix by its own two sides."""
        limit = (6 / (shape[0] + shape[-1])) ** 0.5
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )

    def _scores(self, inputs, experts):
        """How well each expert fits each task, `(B, K, E)`."""
        if self.gate != "context":
            return _in_parallel(inputs, self.gate_kernel)
        # A query for each sample: the zeros have its batch.
        zeros = ops.zeros_like(experts[:, :1, :])
        query = zeros + ops.cast(self.context_vectors, experts.dtype)
        if self.score == "dot":
            return dot_scores(query, experts)
        if self.score == "additive":
            keys = ops.matmul(experts, self.score_kernel)
            return additive_scores(query, keys, self.score_vector[:, 0])
        return scaled_dot_scores(query, experts)

    def _visible(self, inputs, training):
        """Which experts each gate may use in a step of training."""
        if not (training and self.dropout):
            return None
        gates = 1 if self.gate == "shared" else self.num_tasks
        drawn = keras.random.uniform(
            (ops.shape(inputs)[0], gates, self.num_experts),
            seed=self.seed_generator,
        )
        visible = drawn >= self.dropout
        any_left = ops.any(visible, axis=-1, keepdims=True)
        return ops.logical_or(visible, ops.logical_not(any_left))


def _in_parallel(inputs, kernel):
    """`(B, D)` by each of several matrices, `(D, N, M)`, to `(B, N, M)`."""
    depth, count, units = kernel.shape
    flat = ops.matmul(inputs, ops.reshape(kernel, (depth, count * units)))
    return ops.reshape(flat, (-1, count, units))
