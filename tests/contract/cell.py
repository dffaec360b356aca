"""The contract of `recurrent/`."""

import inspect

import keras
import numpy as np

from tests.contract.answers import (
    check_alone,
    check_memory,
    check_policies,
    check_samples,
    check_settings,
    drawn,
)
from tests.contract.asking import (
    POLICIES,
    RUN,
    as_numpy,
    ask,
    check_close,
    model_of,
    picked,
    randomize,
    shapes_of,
)
from tests.contract.constructor import (
    check_arguments,
    check_names,
    check_recipe,
    constructor_parameters,
)
from tests.contract.lifecycle import (
    check_litert,
    check_reload,
    check_training,
)
from tests.contract.shapes import (
    check_build,
    check_free_axes,
    check_questions,
    check_shapes,
    check_unknown_depth,
)

STEPS = 9


def check_cell(
    cell_class,
    inits,
    output,
    weights,
    folder,
    depth=8,
    still=(),
    policies=POLICIES,
    learning_rate=0.1,
):
    """The contract of `recurrent/`: a cell that `keras.layers.RNN` runs.

    Much of `check_layer`, of the cell or of the RNN that runs it, and: the
    cell called step by step has the answers of the RNN; one long run equals
    two with the states carried over; hidden steps leave every state as it was;
    unrolled, backwards, in both directions and stateful it gives the same; all
    states are zero at the start; the weights of each step sum to one or, where
    it looked at nothing, to zero.

    Args:
        cell_class: The cell.
        inits: As in `check_layer`.
        output: Width of the output; or a list with one for each of `inits`.
        weights: Number of the attention weights of a step, or a dict of them;
            or a list with one for each of `inits`.
        folder: As in `check_layer`.
        depth: Width of the input.
        still: As in `check_layer`.
        policies: As in `check_layer`.
        learning_rate: As in `check_layer`.

    Raises:
        AssertionError: If a promise is broken.
    """
    own = list(inspect.signature(cell_class.call).parameters)
    assert own[:3] == ["self", "inputs", "states"], "call: `inputs, states`"
    parameters = constructor_parameters(cell_class)
    check_names(cell_class, parameters, inits)
    check_arguments(cell_class, parameters, inits)
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        width = picked(output, number)
        data = {"sequences": drawn(rng, (3, STEPS, depth))}
        cell = cell_class(**init)
        check_recipe(cell, parameters, init)
        layer = running(cell)
        check_shapes(layer, data, (3, STEPS, width), None)
        model = model_of(layer, data)
        check_training(model, layer, data, number == 0, still, learning_rate)
        check_samples(layer, data)
        check_memory(layer, data)
        check_reload(model, layer, data, folder, number)

        # With any weights, not only with those of a start.
        randomize(cell, rng)
        (sequences,) = data.values()
        check_step_by_step(cell, sequences, picked(weights, number))
        check_carried(cell, sequences)
        check_hidden_steps(cell, sequences)
        check_start(cell, sequences)
        check_ways_of_running(cell, sequences)
        if number == 0:
            check_alone(layer, data)
            check_unknown_depth(
                lambda **init: running(cell_class(**init)), init, data
            )
            states = states_after(cell, sequences[:, :6])
            step = {"inputs": sequences[:, 6], "states": states}
            check_nothing_to_read(cell, step)
            check_questions(cell_class, init, step)
            alone = cell_class(**init)  # no RNN in the paths of its weights
            alone(**step)
            check_build(alone, step)
            check_settings(cell, step, policies)
            check_policies(cell_class, init, step, (0, 1), None, policies)
            check_runs(cell_class, init, data, policies)
            check_free_axes(layer, data, {"sequences": (1,)})
            if keras.backend.backend() == "tensorflow":
                check_litert(layer, data, (1,), folder)


def running(cell, return_sequences=True, **options):
    return keras.layers.RNN(cell, return_sequences=return_sequences, **options)


def states_after(cell, sequences):
    _, *states = running(cell, return_state=True)(sequences)
    return [as_numpy(state) for state in states]


def check_step_by_step(cell, sequences, expected):
    """As the RNN has it; with the weights, and without."""
    states = cell.get_initial_state(batch_size=len(sequences))
    assert len(states) == len(cell.state_size)
    outputs = []
    for t in range(STEPS):
        step = {"inputs": sequences[:, t], "states": states}
        plain = cell(**step)
        (output, states), weights = ask(cell, step)
        check_close(plain, (output, states), "with and without the weights")
        # As `keras.layers.RNN` takes for granted on JAX, under a mask.
        check_close(states[0], output, "the first state is the output")
        outputs.append(as_numpy(output))
        shapes = keras.tree.map_structure(
            lambda size: (len(sequences), size), expected
        )
        assert shapes_of(weights) == shapes, f"weights {shapes_of(weights)}"
        for tensor in keras.tree.flatten(weights):
            array = as_numpy(tensor)
            assert np.isfinite(array).all() and (array >= 0).all(), "weights"
            total = array.sum(axis=-1)
            wrong = np.minimum(abs(total), abs(total - 1)).max()
            assert wrong < 1e-5, f"weights sum to {total}"
    run = running(cell, return_state=True)(sequences)
    check_close(run[0], np.stack(outputs, axis=1), "step by step")
    check_close(list(run[1:]), states, "the states, step by step")


def check_carried(cell, sequences):
    """One long run equals two, with the states carried over."""
    layer = running(cell, return_state=True)
    whole, *last = layer(sequences)
    for at in (1, 4, 5):
        first, *states = layer(sequences[:, :at])
        second, *end = layer(sequences[:, at:], initial_state=states)
        both = np.concatenate([as_numpy(first), as_numpy(second)], axis=1)
        check_close(both, whole, f"carried over after {at} steps")
        check_close(end, last, f"the states, carried over after {at} steps")


def check_hidden_steps(cell, sequences):
    """A step that a mask hides is as if it had never been, in all states."""
    layer = running(cell, return_state=True)
    for hidden in ([8], [5, 6, 7, 8], [1, 2], [0, 4, 6]):
        seen = [t for t in range(STEPS) if t not in hidden]
        mask = np.ones((len(sequences), STEPS), "bool")
        mask[1, hidden] = False
        filled = sequences.copy()
        filled[1, hidden] = 1e3
        output, *states = map(as_numpy, layer(filled, mask=mask))
        alone, *expected = map(as_numpy, layer(sequences[1:2, seen]))
        what = f"steps {hidden} are hidden"
        check_close(output[1:2, seen], alone, what)
        for one, other in zip(states, expected, strict=True):
            check_close(one[1:2], other, f"the states where {what}")
        others = [0, 2]
        check_close(output[others], as_numpy(layer(sequences)[0])[others], what)


def check_start(cell, sequences):
    """All states are zero at the start, as Keras resets them."""
    for state in cell.get_initial_state(batch_size=2):
        assert not as_numpy(state).any(), "a state is not zero at the start"
    stateful = running(cell, stateful=True)
    expected = as_numpy(running(cell)(sequences))
    first, rest = sequences[:, :4], sequences[:, 4:]
    for _ in range(2):
        both = [as_numpy(stateful(part)) for part in (first, rest)]
        check_close(np.concatenate(both, axis=1), expected, "stateful")
        stateful.reset_state()


def check_ways_of_running(cell, sequences):
    forwards = as_numpy(running(cell)(sequences))
    unrolled = running(cell, unroll=True)(sequences)
    check_close(unrolled, forwards, "unrolled")
    last = running(cell, return_sequences=False)(sequences)
    check_close(last, forwards[:, -1], "the last output alone")
    backwards = as_numpy(running(cell, go_backwards=True)(sequences))
    check_close(backwards, running(cell)(sequences[:, ::-1]), "backwards")

    other = type(cell).from_config(cell.get_config())
    reverse = running(other, go_backwards=True)
    reverse(sequences)
    other.set_weights(cell.get_weights())
    both = keras.layers.Bidirectional(running(cell), backward_layer=reverse)
    both(sequences)
    for one in (both.forward_layer, both.backward_layer):
        one.cell.set_weights(cell.get_weights())
    expected = np.concatenate([forwards, backwards[:, ::-1]], axis=-1)
    check_close(both(sequences), expected, "in both directions")


def check_nothing_to_read(cell, step):
    try:
        cell(**{**step, "inputs": step["inputs"][:, :0]})
    except ValueError as error:
        assert "no axis of size 0" in str(error), f"empty: {error}"
    else:
        raise AssertionError("takes inputs without a feature")


def check_runs(cell_class, init, data, policies):
    """Every policy in a loop: finite, in the compute dtype."""
    for policy in policies:
        if policy not in RUN:
            continue
        layer = running(cell_class(**init, dtype=policy), dtype=policy)
        answer = layer(**data)
        dtype = keras.backend.standardize_dtype(answer.dtype)
        assert dtype == layer.compute_dtype, f"{policy} answers in {dtype}"
        array = as_numpy(keras.ops.cast(answer, "float32"))
        assert np.isfinite(array).all(), f"{policy} is not finite"
