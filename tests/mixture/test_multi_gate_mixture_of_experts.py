"""MultiGateMixtureOfExperts against the paper's equations, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import MultiGateMixtureOfExperts, attention_maps
from tests.contract import check_mixture_layer
from tests.numbers import arrays, close, numpy, randomize, relu

INPUTS = np.random.default_rng(1).normal(size=(3, 5))


def softmax(scores):
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def made(inputs=INPUTS, experts=4, tasks=2, units=6, **options):
    layer = MultiGateMixtureOfExperts(experts, tasks, units, **options)
    layer.build(inputs.shape)
    randomize(layer)
    return layer


def experts_of(layer, inputs):
    W, b = arrays(layer, "expert_kernel", "expert_bias")
    activation = layer.activation(
        np.einsum("bd,deu->ebu", inputs, W) + b[:, None]
    )
    return numpy(activation)


@pytest.mark.slow
def test_contract(tmp_path):
    sizes = {"num_experts": 4, "num_tasks": 2, "units": 6}
    check_mixture_layer(
        MultiGateMixtureOfExperts,
        inits=[
            sizes,
            {**sizes, "gate": "shared", "activation": "tanh"},
            {**sizes, "gate": "context", "dropout": 0.3, "seed": 1},
            {**sizes, "gate": "context", "score": "dot"},
            {**sizes, "gate": "context", "score": "additive"},
        ],
        shapes={"inputs": (3, 5)},
        output=(3, 2, 6),
        weights=(3, 2, 4),
        folder=tmp_path,
        branches=experts_of,
        sum_axis=-1,
    )


def test_equals_the_equations_of_the_paper():
    layer = made()
    output, weights = layer(INPUTS, return_attention_scores=True)
    W, b, V = arrays(layer, "expert_kernel", "expert_bias", "gate_kernel")
    assert W.shape == (5, 4, 6) and V.shape == (5, 2, 4)
    for sample, x in enumerate(INPUTS):
        f = [relu(W[:, i].T @ x + b[i]) for i in range(4)]
        for task in range(2):
            g = softmax(V[:, task].T @ x)
            close(weights[sample, task], g)
            close(output[sample, task], sum(s * e for s, e in zip(g, f)))


@pytest.mark.parametrize("score", [None, "dot", "scaled_dot", "additive"])
def test_a_context_gate_scores_what_the_experts_say(score):
    layer = made(gate="context", score=score)
    output, weights = layer(INPUTS, return_attention_scores=True)
    W, b, c = arrays(layer, "expert_kernel", "expert_bias", "context_vectors")
    assert c.shape == (2, 6)
    for sample, x in enumerate(INPUTS):
        f = np.array([relu(W[:, i].T @ x + b[i]) for i in range(4)])
        for task in range(2):
            if score == "additive":
                U, v = arrays(layer, "score_kernel", "score_vector")
                scores = np.tanh(c[task] + f @ U) @ v[:, 0]
            else:
                scores = f @ c[task] / (1 if score == "dot" else np.sqrt(6))
            close(weights[sample, task], softmax(scores))
            close(output[sample, task], softmax(scores) @ f)


def test_a_shared_gate_is_the_gate_of_one_task():
    shared = made(gate="shared", tasks=3)
    output, weights = shared(INPUTS, return_attention_scores=True)
    one = made(tasks=1)
    one.set_weights(shared.get_weights())
    alone, shares = one(INPUTS, return_attention_scores=True)
    assert shared.count_params() == one.count_params()
    for task in range(3):
        close(output[:, task], alone[:, 0])
        close(weights[:, task], shares[:, 0])


def test_a_gate_can_choose_a_single_expert():
    layer = made(np.ones((1, 5)))
    W, b, V = layer.get_weights()
    V[:] = 0
    V[:, 0, 2] = V[:, 1, 0] = 100
    layer.set_weights([W, b, V])
    x = np.abs(INPUTS)
    output = layer(x)
    close(output[:, 0], relu(x @ W[:, 2] + b[2]))
    close(output[:, 1], relu(x @ W[:, 0] + b[0]))


@pytest.mark.parametrize("gate", ["input", "shared", "context"])
def test_gates_do_not_matter_where_the_experts_are_equal(gate):
    layer = made(gate=gate)
    W, b = arrays(layer, "expert_kernel", "expert_bias")
    W[:], b[:] = W[:, :1], b[:1]
    layer.expert_kernel.assign(W)
    layer.expert_bias.assign(b)
    expected = relu(INPUTS @ W[:, 0] + b[0])
    for task in range(2):
        close(layer(INPUTS)[:, task], expected)


def test_the_context_gate_of_one_task_needs_no_other():
    both = made(gate="context")
    one = made(gate="context", tasks=1)
    weights = both.get_weights()
    names = [variable.name for variable in both.weights]
    weights[names.index("context_vectors")] = both.get_weights()[
        names.index("context_vectors")
    ][1:]
    one.set_weights(weights)
    close(both(INPUTS)[:, 1:], one(INPUTS))


def test_has_as_few_gate_weights_as_the_sources_say():
    d, n, u, k = 100, 8, 16, 2
    counts = {
        gate: made(np.ones((1, d)), n, k, u, gate=gate).count_params()
        - n * u * (d + 1)
        for gate in ("input", "shared", "context")
    }
    assert counts == {"input": k * n * d, "shared": n * d, "context": k * u}


@pytest.mark.parametrize("gate", ["input", "shared", "context"])
def test_hides_experts_in_training_only_and_weighs_the_others(gate):
    inputs = np.ones((400, 5))
    layer = made(inputs, gate=gate, dropout=0.5, seed=3)
    _, calm = layer(inputs, return_attention_scores=True)
    output, weights = layer(inputs, return_attention_scores=True, training=True)
    calm, weights = numpy(calm), numpy(weights)
    assert (calm > 0).all()
    hidden = weights == 0
    # Where all are drawn, one time in sixteen, none is hidden.
    assert hidden.mean() == pytest.approx(0.5 - 0.5**4, abs=0.05)
    assert not hidden.all(axis=-1).any()
    expected = np.where(hidden, 0, calm)
    close(weights, expected / expected.sum(axis=-1, keepdims=True))
    alike = hidden[:, 0] == hidden[:, 1]
    assert alike.all() == (gate == "shared")
    W, b = arrays(layer, "expert_kernel", "expert_bias")
    experts = relu(np.einsum("bd,deu->beu", inputs, W) + b)
    close(output, np.einsum("bke,beu->bku", weights, experts))


def test_matrices_start_as_glorot_has_it_each_by_its_own_sides():
    layer = MultiGateMixtureOfExperts(50, 2, 16)
    layer.build((None, 100))
    W, V = arrays(layer, "expert_kernel", "gate_kernel")
    for kernel, limit in ((W, np.sqrt(6 / 116)), (V, np.sqrt(6 / 150))):
        assert 0.95 * limit < np.abs(kernel).max() <= limit
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)


def test_shows_which_expert_each_task_reads():
    inputs = keras.Input((5,))
    layer = MultiGateMixtureOfExperts(4, 2, 6, name="experts")
    model = keras.Model(inputs, layer(inputs))
    maps = attention_maps(model, INPUTS.astype("float32"))
    assert list(maps) == ["experts"] and maps["experts"].shape == (3, 2, 4)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_experts": 0}, "num_experts=0"),
        ({"num_tasks": 1.5}, "num_tasks=1.5"),
        ({"units": -1}, "units=-1"),
        ({"gate": "output"}, "`gate` must be one of .*gate='output'"),
        ({"gate": "context", "score": "general"}, "score='general'"),
        ({"score": "dot"}, "score='dot', gate='input'"),
        ({"dropout": 1}, "dropout=1"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    sizes = {"num_experts": 4, "num_tasks": 2, "units": 6}
    with pytest.raises(ValueError, match=message):
        MultiGateMixtureOfExperts(**{**sizes, **options})


def test_refuses_sequences():
    with pytest.raises(ValueError, match=r"\(B, D\).*\(2, 3, 4\)"):
        MultiGateMixtureOfExperts(4, 2, 6)(np.ones((2, 3, 4)))
