"""Gradients inside a forward pass, on each backend."""

import keras
from keras import ops


def gradient_inside(function, inputs):
    """The value of a function, and the gradient of its sum to its inputs.

    For layers whose answer depends on a gradient, as of a class to a feature
    map. It works in a layer's `call`, run plainly, traced by a functional
    model, trained by `fit` and compiled, in any dtype policy. The gradient is a
    constant: training takes no second derivative. What `function` returns is
    differentiated as ever.

    Layers that `function` calls must run with `training=False`: a second run
    in training mode would count twice in moving averages, and draw dropout
    anew. They must be built before, or be built where `function` is traced.

    Args:
        function: From a tensor to a float tensor, of any shape. One sample of
            its output must not depend on another sample, where the gradient of
            each sample alone is wanted.
        inputs: Float tensor.

    Returns:
        `(function(inputs), gradient)`; the gradient has the shape and dtype of
        `inputs`, and is zero where the function does not depend on them.

    Raises:
        ValueError: If `inputs` are a symbolic `keras.KerasTensor`, which only
            a layer's `call` turns into a tensor, or not of floats.
    """
    if isinstance(inputs, keras.KerasTensor):
        raise ValueError(
            "`inputs` must be a tensor: call `gradient_inside` in the `call` "
            f"of a layer. Received: inputs={inputs}"
        )
    inputs = ops.convert_to_tensor(inputs)
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if "float" not in dtype:
        raise ValueError(
            "`inputs` must be floats, to which there is a gradient. "
            f"Received: inputs of dtype {dtype}"
        )
    of_backend = {
        "tensorflow": _on_tensorflow,
        "jax": _on_jax,
        "torch": _on_torch,
    }[keras.backend.backend()]
    output, gradient = of_backend(function, inputs)
    return output, ops.stop_gradient(gradient)


def _on_tensorflow(function, inputs):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        output = function(inputs)
    gradient = tape.gradient(
        output, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return output, gradient


def _on_jax(function, inputs):
    import jax

    output, pulled_back = jax.vjp(function, inputs)
    (gradient,) = pulled_back(ops.ones_like(output))
    return output, gradient


def _on_torch(function, inputs):
    import torch

    training = torch.is_grad_enabled()  # not in `predict`, nor when traced
    with torch.enable_grad():
        watched = inputs
        if not (training and inputs.requires_grad):
            watched = inputs.detach().requires_grad_()
        output = function(watched)
        gradient = torch.zeros_like(inputs)
        if output.requires_grad:
            (found,) = torch.autograd.grad(
                output,
                watched,
                torch.ones_like(output),
                retain_graph=training,
                allow_unused=True,
            )
            gradient = gradient if found is None else found
    return (output if training else output.detach()), gradient
