"""Weights published for PyTorch, brought into our layers: a worked example.

`port_se_block` and `port_cbam` may be copied. They take a dict of arrays, as
`{name: tensor.numpy() for name, tensor in torch.load(file).items()}` gives it,
in the layout of the published code; the arrays here are made at random.

Three things differ between the layouts:

- a `Linear` weight is (out, in), a `Dense` kernel (in, out);
- a PyTorch convolution's weight is (out, in, height, width), Keras's (height,
  width, in, out);
- both normalise with a moving variance; PyTorch calls its numbers `weight,
  bias, running_mean, running_var`, Keras `gamma, beta, moving_mean,
  moving_variance`.
"""

import numpy as np
import pytest

from keras_attention import CBAM, SEBlock
from tests.numbers import close, numpy, relu, sigmoid


def port_se_block(state, prefix, layer):
    """The `fc` of a squeeze-and-excitation: Linear, ReLU, Linear, sigmoid.

    Args:
        state: Dict from name to array.
        prefix: String. What stands before the names, `"layer1.0.se."`.
        layer: A built `SEBlock`; `use_bias=False` where the state has none.
    """
    for part, name in (("fc.0", "reduce"), ("fc.2", "expand")):
        dense = getattr(layer, name)
        dense.kernel.assign(state[f"{prefix}{part}.weight"].T)
        if dense.use_bias:
            dense.bias.assign(state[f"{prefix}{part}.bias"])


def port_cbam(state, prefix, layer):
    """The CBAM of its authors' code.

    Args:
        state: Dict from name to array.
        prefix: String. What stands before the names, `"layer1.0.cbam."`.
        layer: A built `CBAM` with the default `pool_order="max_mean"`.
    """
    channel, spatial = layer.channel_attention, layer.spatial_attention
    for part, dense in (
        ("ChannelGate.mlp.1", channel.reduce),
        ("ChannelGate.mlp.3", channel.expand),
    ):
        dense.kernel.assign(state[f"{prefix}{part}.weight"].T)
        dense.bias.assign(state[f"{prefix}{part}.bias"])

    gate = f"{prefix}SpatialGate.spatial"
    kernel = state[f"{gate}.conv.weight"]
    spatial.conv.kernel.assign(np.transpose(kernel, (2, 3, 1, 0)))
    spatial.norm.gamma.assign(state[f"{gate}.bn.weight"])
    spatial.norm.beta.assign(state[f"{gate}.bn.bias"])
    spatial.norm.moving_mean.assign(state[f"{gate}.bn.running_mean"])
    spatial.norm.moving_variance.assign(state[f"{gate}.bn.running_var"])


def random_state(shapes, seed=0):
    rng = np.random.default_rng(seed)
    state = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    for name in state:
        if name.endswith("running_var"):
            state[name] = rng.uniform(0.5, 2, shapes[name])
    return {name: array.astype("float32") for name, array in state.items()}


def se_state(bias=True):
    shapes = {"se.fc.0.weight": (2, 8), "se.fc.2.weight": (8, 2)}
    if bias:
        shapes |= {"se.fc.0.bias": (2,), "se.fc.2.bias": (8,)}
    return random_state(shapes)


def cbam_state():
    gate = "SpatialGate.spatial"
    return random_state(
        {
            "ChannelGate.mlp.1.weight": (2, 8),
            "ChannelGate.mlp.1.bias": (2,),
            "ChannelGate.mlp.3.weight": (8, 2),
            "ChannelGate.mlp.3.bias": (8,),
            f"{gate}.conv.weight": (1, 2, 7, 7),
            f"{gate}.bn.weight": (1,),
            f"{gate}.bn.bias": (1,),
            f"{gate}.bn.running_mean": (1,),
            f"{gate}.bn.running_var": (1,),
        }
    )


def linear(x, state, name):
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0)


def se_forward(image, state):
    """PyTorch's forward of one image, (C, H, W), in NumPy."""
    hidden = relu(linear(image.mean((1, 2)), state, "se.fc.0"))
    return image * sigmoid(linear(hidden, state, "se.fc.2"))[:, None, None]


def cbam_forward(image, state):
    logits = 0
    for look in (image.mean((1, 2)), image.max((1, 2))):
        hidden = relu(linear(look, state, "ChannelGate.mlp.1"))
        logits = logits + linear(hidden, state, "ChannelGate.mlp.3")
    image = image * sigmoid(logits)[:, None, None]

    gate = "SpatialGate.spatial"
    looks = np.stack([image.max(0), image.mean(0)])
    looks = np.pad(looks, ((0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(looks, (7, 7), (1, 2))
    kernel = state[f"{gate}.conv.weight"][0]
    logits = np.einsum("chwij,cij->hw", windows, kernel)
    spread = np.sqrt(state[f"{gate}.bn.running_var"] + 1e-5)
    logits = (logits - state[f"{gate}.bn.running_mean"]) / spread
    logits = logits * state[f"{gate}.bn.weight"] + state[f"{gate}.bn.bias"]
    return image * sigmoid(logits)


def ported(layer, port, state, prefix=""):
    layer.build((None, 6, 5, 8))
    unset = [np.array(numpy(weight)) for weight in layer.weights]
    port(state, prefix, layer)
    for before, weight in zip(unset, layer.weights, strict=True):
        assert (before != numpy(weight)).any(), f"{weight.path} is not ported"
    return layer


def images():
    """Three images as PyTorch has them, (B, C, H, W)."""
    inputs = np.random.default_rng(1).normal(size=(3, 8, 6, 5))
    return inputs.astype("float32")


def forward(layer, inputs):
    """Our layer on PyTorch's images, channels last inside."""
    return np.moveaxis(numpy(layer(np.moveaxis(inputs, 1, -1))), -1, 1)


@pytest.mark.parametrize("bias", [True, False])
def test_a_ported_se_block_gives_the_same_numbers(bias):
    state, inputs = se_state(bias), images()
    layer = ported(SEBlock(ratio=4, use_bias=bias), port_se_block, state, "se.")
    expected = np.stack([se_forward(image, state) for image in inputs])
    close(forward(layer, inputs), expected)


def test_a_ported_cbam_gives_the_same_numbers():
    state, inputs = cbam_state(), images()
    layer = ported(CBAM(ratio=4), port_cbam, state)
    expected = np.stack([cbam_forward(image, state) for image in inputs])
    close(forward(layer, inputs), expected)


def test_ported_weights_serve_channels_first_too():
    state, inputs = cbam_state(), images()
    layer = CBAM(ratio=4, data_format="channels_first")
    layer.build((None, 8, 6, 5))
    port_cbam(state, "", layer)
    expected = np.stack([cbam_forward(image, state) for image in inputs])
    close(layer(inputs), expected)


def test_pytorch_itself_gives_these_numbers():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def tensors(state):
        return {name: torch.tensor(array) for name, array in state.items()}

    def mlp(x, state, first, second):
        for name in (first, second):
            x = functional.linear(
                x, state[f"{name}.weight"], state[f"{name}.bias"]
            )
            x = functional.relu(x) if name == first else x
        return x

    inputs = torch.tensor(images())

    state = tensors(se_state())
    logits = mlp(inputs.mean((2, 3)), state, "se.fc.0", "se.fc.2")
    expected = inputs * torch.sigmoid(logits)[:, :, None, None]
    layer = ported(SEBlock(ratio=4), port_se_block, se_state(), "se.")
    close(forward(layer, images()), expected.numpy())

    state = tensors(cbam_state())
    names = ("ChannelGate.mlp.1", "ChannelGate.mlp.3")
    logits = mlp(inputs.mean((2, 3)), state, *names)
    logits = logits + mlp(inputs.amax((2, 3)), state, *names)
    refined = inputs * torch.sigmoid(logits)[:, :, None, None]
    looks = torch.stack([refined.amax(1), refined.mean(1)], dim=1)
    gate = "SpatialGate.spatial"
    logits = functional.batch_norm(
        functional.conv2d(looks, state[f"{gate}.conv.weight"], padding=3),
        state[f"{gate}.bn.running_mean"],
        state[f"{gate}.bn.running_var"],
        state[f"{gate}.bn.weight"],
        state[f"{gate}.bn.bias"],
        eps=1e-5,
    )
    layer = ported(CBAM(ratio=4), port_cbam, cbam_state())
    expected = refined * torch.sigmoid(logits)
    close(forward(layer, images()), expected.numpy())
