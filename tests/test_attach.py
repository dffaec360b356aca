"""attach_attention: same outputs, same weights, and a gate at every place."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import (
    BAM,
    CBAM,
    ChannelAttention,
    SEBlock,
    SelectiveKernel,
    SelfAttention,
    SpatialAttention,
    attach_attention,
    attachment_points,
    attention_maps,
)
from tests.contract.lifecycle import litert_runner

layers = keras.layers
IMAGES = np.random.default_rng(0).random((3, 12, 10, 3)).astype("float32")


def cbam():
    return CBAM(ratio=2, identity_start=True)


def residual_model(name="residual", size=(12, 10), **kwargs):
    """A block with a convolution on its shortcut, and one without."""
    image = keras.Input((*size, 3), name="image")
    x = block(image, 4, "block_1", project=True)
    x = block(x, 4, "block_2")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(5, name="logits", **kwargs)(x)
    return randomised(keras.Model(image, x, name=name))


def block(inputs, filters, name, project=False):
    x, shortcut = inputs, inputs
    for i in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv_{i}")(
            x
        )
        x = layers.BatchNormalization(name=f"{name}_bn_{i}")(x)
    if project:
        shortcut = layers.Conv2D(filters, 1, name=f"{name}_project")(inputs)
        shortcut = layers.BatchNormalization(name=f"{name}_project_bn")(
            shortcut
        )
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def randomised(model):
    """All weights drawn, so that signals pass and no statistic is 0 or 1."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if variable.name.endswith("kernel") and len(shape) > 1:
            inputs = np.prod(shape[:2] if shape[-1] == 1 else shape[:-1])
            value = random.standard_normal(shape, "float32")
            value *= (2 / inputs) ** 0.5
        elif variable.name in ("gamma", "moving_variance", "variance"):
            value = random.uniform(0.7, 1.3, shape)
        elif np.issubdtype(variable.dtype, np.floating):
            value = 0.1 * random.standard_normal(shape, "float32")
        else:
            continue
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def test_the_answers_and_all_weights_stay():
    model = residual_model()
    attached = attach_attention(model, cbam)
    new = ["block_1_bn_2_cbam", "block_2_bn_2_cbam"]
    assert names(attached) - names(model) == set(new)
    check_same(model, attached, IMAGES)
    for name in new:
        gate = attached.get_layer(name)
        assert isinstance(gate, CBAM) and gate.ratio == 2
        assert gate.input is attached.get_layer(name[:-5]).output
    assert attached.name == model.name and not attached.compiled


def test_each_gate_is_on_the_branch_and_not_on_the_shortcut():
    """A layer of zeros there leaves the shortcut alone."""
    model = residual_model()
    attached = attach_attention(model, lambda: layers.Rescaling(0.0))
    x = IMAGES
    for name in ("block_1_project", "block_1_project_bn", "block_1_out"):
        x = model.get_layer(name)(x)
    for name in ("block_2_out", "pool", "logits"):
        x = model.get_layer(name)(x)
    close(attached(IMAGES), x)


def test_another_start_changes_the_answers():
    model = residual_model()
    attached = attach_attention(model, lambda: CBAM(ratio=2))
    assert np.abs(number(attached(IMAGES)) - number(model(IMAGES))).max() > 1e-3


def test_training_one_moves_nothing_of_the_other():
    model = residual_model()
    attached = attach_attention(model, cbam)
    before = number(model(IMAGES))
    fit(attached)
    np.testing.assert_array_equal(number(model(IMAGES)), before)
    moved = number(attached(IMAGES))
    assert not np.allclose(moved, before)
    fit(model)
    np.testing.assert_array_equal(number(attached(IMAGES)), moved)


def test_the_model_is_left_as_it_was():
    model = residual_model()
    model.compile("adam", lambda y, p: keras.ops.mean(p - y))
    nodes = [
        (len(layer._inbound_nodes), len(layer._outbound_nodes))
        for layer in model.layers
    ]
    config = model.get_config()
    attached = attach_attention(model, cbam)
    assert model.get_config() == config and model.compiled
    assert nodes == [
        (len(layer._inbound_nodes), len(layer._outbound_nodes))
        for layer in model.layers
    ]
    mine = {id(v) for v in model.variables}
    assert mine.isdisjoint(map(id, attached.variables))
    # Its middle can be looked at, as that of any functional model.
    middle = keras.Model(attached.input, attached.get_layer("pool").output)
    assert middle(IMAGES).shape == (3, 4)


@pytest.mark.parametrize(
    "where, expected",
    [
        ("before_sum", ["block_1_bn_2", "block_2_bn_2"]),
        ("block_*_bn_1", ["block_1_bn_1", "block_2_bn_1"]),
        ("block_2_out", ["block_2_out"]),
        (layers.ReLU, ["block_1_out", "block_2_out"]),
        (
            lambda point: len(point.shape) == 4 and point.name.endswith("add"),
            ["block_1_add", "block_2_add"],
        ),
    ],
)
def test_places_are_chosen_by_position_name_class_or_function(where, expected):
    model = residual_model()
    points = attachment_points(model, where)
    assert [point.name for point in points] == expected
    for point in points:
        assert point.layer is model.get_layer(point.name)
        assert point.shape == (None, 12, 10, 4) == point.layer.output.shape
        assert point.before_sum == ("bn_2" in point.name)
    new = names(attach_attention(model, cbam, where)) - names(model)
    assert new == {f"{name}_cbam" for name in expected}


def test_all_places_are_listed_in_the_order_of_the_calls():
    points = attachment_points(residual_model(), "*")
    listed = [point.name for point in points]
    assert len(listed) == 16 and "image" not in listed
    assert listed[-3:] == ["block_2_out", "pool", "logits"]
    assert [p.shape for p in points[-2:]] == [(None, 4), (None, 5)]


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: SEBlock(ratio=2, identity_start=True),
        lambda: ChannelAttention(ratio=2, identity_start=True),
        lambda: SpatialAttention(kernel_size=3, identity_start=True),
        cbam,
        lambda: BAM(ratio=2, identity_start=True),
    ],
)
def test_every_gate_starts_as_the_identity(make_layer):
    model = residual_model()
    check_same(model, attach_attention(model, make_layer), IMAGES)


def test_a_layer_can_be_made_for_its_place():
    """Self-attention over the places of a map, of any width."""
    attached = attach_attention(residual_model(), attending)
    maps = attention_maps(attached, IMAGES)
    assert {path: weights.shape for path, weights in maps.items()} == {
        f"block_{i}_bn_2_sequential/attention": (3, 2, 120, 120) for i in (1, 2)
    }


def attending(point):
    return keras.Sequential(
        [
            layers.Reshape((-1, point.shape[-1])),
            SelfAttention(point.shape[-1] // 2, name="attention"),
            layers.Reshape(point.shape[1:]),
        ]
    )


def test_convolutions_and_users_layers_can_be_attached():
    class Doubling(layers.Layer):
        def call(self, inputs):
            return 2.0 * inputs

    model = residual_model()
    doubled = attach_attention(model, Doubling, "pool")
    tail = model.get_layer("logits")
    pooled = keras.Model(model.input, model.get_layer("pool").output)(IMAGES)
    close(doubled(IMAGES), tail(2.0 * number(pooled)))
    points = attachment_points(model)
    kernels = attach_attention(
        model, lambda point: SelectiveKernel(point.shape[-1], groups=2)
    )
    assert len(names(kernels) - names(model)) == len(points) == 2


def test_attaching_twice_gives_each_layer_a_name_of_its_own():
    once = attach_attention(residual_model(), cbam, "block_1_bn_2")
    twice = attach_attention(once, cbam, "block_1_bn_2")
    new = names(twice) - names(residual_model())
    assert new == {"block_1_bn_2_cbam", "block_1_bn_2_cbam_2"}
    behind = attach_attention(once, lambda: SEBlock(ratio=2), "before_sum")
    assert "block_1_bn_2_cbam_se_block" in names(behind)


def test_a_shared_layer_shares_its_gate_and_an_activation_does_not():
    left, right = keras.Input((6, 5, 3)), keras.Input((6, 5, 3))
    conv = layers.Conv2D(4, 3, name="conv")
    relu = layers.ReLU(name="relu")
    x = relu(conv(left))
    wide = layers.Conv2D(6, 1, name="wide")(conv(right))
    model = randomised(keras.Model([left, right], [x, relu(wide)]))
    shapes = {p.name: p.shape for p in attachment_points(model, "*")}
    assert set(shapes) == {"conv", "relu", "wide", "relu_2"}
    assert {shapes["relu"][-1], shapes["relu_2"][-1]} == {4, 6}
    data = [IMAGES[:, :6, :5], IMAGES[:, 6:, 5:]]
    attached = attach_attention(model, cbam, lambda point: True)
    check_same(model, attached, data)
    gate = attached.get_layer("conv_cbam")
    assert len(gate._inbound_nodes) == 2
    for name in ("relu_cbam", "relu_2_cbam"):
        assert len(attached.get_layer(name)._inbound_nodes) == 1
    both = attach_attention(model, cbam, "relu")
    assert names(both) - names(model) == {"relu_cbam", "relu_2_cbam"}


def test_inputs_and_outputs_keep_their_structure():
    left = keras.Input((12, 10, 3), name="left")
    right = keras.Input((4,), name="right")
    x = layers.Conv2D(4, 3, name="conv")(left)
    pooled = layers.GlobalMaxPooling2D(name="pool")(x)
    answer = layers.Dense(4, name="dense")(right) * pooled
    model = keras.Model(
        {"left": left, "right": right}, {"map": x, "answer": answer}
    )
    data = {"left": IMAGES, "right": IMAGES[:, 0, :4, 0]}
    attached = attach_attention(model, cbam, "conv")
    check_same(model, attached, data)
    # What was an output is one still, after its gate.
    assert attached.output["map"] is attached.get_layer("conv_cbam").output
    assert attached.input["left"].shape == (None, 12, 10, 3)


def test_models_inside_are_entered():
    inner = residual_model("backbone")
    image = keras.Input((12, 10, 3))
    head = keras.Sequential(
        [keras.Input((5,)), layers.Dense(2, name="out")], name="head"
    )
    outer = keras.Sequential([image, inner, head], name="outer")
    points = attachment_points(outer, "*")
    listed = [point.name for point in points]
    assert listed[-4:] == ["backbone/logits", "backbone", "head/out", "head"]
    chosen = [point.name for point in attachment_points(outer)]
    assert chosen == ["backbone/block_1_bn_2", "backbone/block_2_bn_2"]
    attached = attach_attention(outer, cbam)
    check_same(outer, attached, IMAGES)
    assert names(attached.get_layer("backbone")) - names(inner) == {
        "block_1_bn_2_cbam",
        "block_2_bn_2_cbam",
    }
    again = attach_attention(
        outer, lambda: SEBlock(ratio=2), "backbone/*_1_out"
    )
    assert "block_1_out_se_block" in names(again.get_layer("backbone"))
    maps = attention_maps(attached, IMAGES)
    assert list(maps) == [f"{name}_cbam" for name in chosen]


def test_a_model_called_twice_is_entered_once():
    inner = residual_model("tower")
    left, right = keras.Input((12, 10, 3)), keras.Input((12, 10, 3))
    model = keras.Model([left, right], inner(left) - inner(right))
    points = attachment_points(model)
    assert len(points) == 2
    attached = attach_attention(model, cbam)
    data = [IMAGES, IMAGES[::-1].copy()]
    check_same(model, attached, data)
    close(attached([IMAGES, IMAGES]), np.zeros((3, 5)))


def test_a_layer_inside_and_outside_stays_one():
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    image = keras.Input((12, 10, 3))
    inner = keras.Model(image, conv(image), name="inner")
    x = keras.Input((12, 10, 3))
    model = keras.Model(x, conv(inner(x)))
    attached = attach_attention(model, lambda: SEBlock(2), "conv")
    assert attached.get_layer("conv") is attached.get_layer("inner").get_layer(
        "conv"
    )
    check_same(model, attach_attention(model, cbam, "*conv"), IMAGES)


@pytest.mark.parametrize("built_by", ["input", "data"])
def test_a_sequential_model_is_attached_to(built_by):
    parts = [
        layers.Conv2D(4, 3, name="conv"),
        layers.ReLU(name="relu"),
        layers.Flatten(),
        layers.Dense(2),
    ]
    if built_by == "input":
        parts.insert(0, keras.Input((12, 10, 3)))
    model = keras.Sequential(parts)
    model(IMAGES)
    randomised(model)
    attached = attach_attention(model, cbam, "relu")
    check_same(model, attached, IMAGES)
    assert attached(IMAGES[:1]).shape == (1, 2)


def test_what_is_frozen_stays_frozen_and_the_gates_learn():
    model = residual_model()
    model.get_layer("block_1_conv_1").trainable = False
    attached = attach_attention(model, cbam)
    frozen = [x.name for x in attached.layers if not x.trainable]
    assert frozen == ["block_1_conv_1"]

    model.trainable = False
    model.get_layer("logits").trainable = True  # of no effect in a frozen model
    outer = keras.Sequential([keras.Input((12, 10, 3)), model])
    for whole in (model, outer):
        attached = attach_attention(whole, cbam)
        before = [number(v) for v in old_weights(whole, attached)]
        learn = {v.path.split("/")[-4] for v in attached.trainable_weights}
        learn |= {v.path.split("/")[-3] for v in attached.trainable_weights}
        assert {x for x in learn if "cbam" in x} == {
            "block_1_bn_2_cbam",
            "block_2_bn_2_cbam",
        }
        assert len(attached.trainable_weights) == 2 * len(
            attach_attention(model, cbam)
            .get_layer("block_1_bn_2_cbam")
            .trainable_weights
        )
        fit(attached)
        for old, new in zip(before, old_weights(whole, attached), strict=True):
            np.testing.assert_array_equal(number(new), old)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_layers_are_made_in_the_policy_of_their_place(policy):
    keras.config.set_dtype_policy(policy)
    model = residual_model(dtype="float32")
    keras.config.set_dtype_policy("float32")
    attached = attach_attention(model, cbam, "block_*_bn_2")
    gate = attached.get_layer("block_1_bn_2_cbam")
    assert gate.dtype_policy.name == policy
    assert gate.spatial_attention.conv.dtype_policy.name == policy
    assert keras.config.dtype_policy().name == "float32"
    check_same(model, attached, IMAGES)
    summed = attach_attention(
        model, lambda: CBAM(2, dtype="float32"), "block_1_add"
    )
    gate = summed.get_layer("block_1_add_cbam")
    assert gate.dtype_policy.name == "float32"


def test_layers_are_made_in_the_data_format_of_their_place():
    keras.config.set_image_data_format("channels_first")
    image = keras.Input((3, 12, 10))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = layers.BatchNormalization(axis=1, name="norm")(x)
    x = layers.Conv2D(3, 1)(x)
    model = randomised(keras.Model(image, image + x))
    keras.config.set_image_data_format("channels_last")
    (point,) = attachment_points(model, "norm")
    assert point.data_format == "channels_first"
    attached = attach_attention(model, cbam, "norm")
    gate = attached.get_layer("norm_cbam")
    assert gate.data_format == "channels_first"
    assert keras.config.image_data_format() == "channels_last"
    data = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    _, gates = gate(
        number(attached.get_layer("norm")(attached.get_layer("conv")(data))),
        return_attention_scores=True,
    )
    assert gates["channel"].shape == (3, 4, 1, 1)
    check_same(model, attached, data)


def test_sizes_may_be_unknown():
    model = residual_model(size=(None, None))
    assert attachment_points(model)[0].shape == (None, None, None, 4)
    attached = attach_attention(model, cbam)
    check_same(model, attached, IMAGES)
    check_same(model, attached, IMAGES[:, :7, :9])


def test_sequences_can_be_attended_to():
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="words")(words)
    attended = layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    x = layers.LayerNormalization()(x + attended)
    model = randomised(keras.Model(words, layers.LSTM(3)(x)))
    assert [p.name for p in attachment_points(model)] == ["attention"]
    data = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 1]])
    gate = functools.partial(SEBlock, ratio=2, identity_start=True)
    check_same(model, attach_attention(model, gate), data)
    attached = attach_attention(model, lambda: SelfAttention(2), "words")
    changed = data.copy()
    changed[0, 3:] = 0
    assert attached(changed).shape == (2, 3)


def test_a_users_functions_and_classes_need_no_registration():
    def squashed(x):
        return keras.ops.tanh(x) * 2

    @keras.saving.register_keras_serializable(package="test_attach")
    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")

        def call(self, inputs):
            return inputs * self.scale

    image = keras.Input((12, 10, 3))
    x = layers.Conv2D(4, 3, activation=squashed)(image)
    x = Scale()(x)
    x = layers.Lambda(lambda y: y * IMAGES.mean(), name="scaled")(x)
    x = keras.ops.mean(keras.ops.transpose(x[:, 1:] + 1.0, (0, 2, 1, 3)), 1)
    model = randomised(keras.Model(image, x))
    check_same(model, attach_attention(model, cbam, "scaled"), IMAGES)


def test_keyword_arguments_of_calls_are_kept():
    image = keras.Input((12, 10, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.BatchNormalization()(x, training=True)
    model = randomised(keras.Model(image, layers.Dropout(0.5)(x)))
    check_same(model, attach_attention(model, cbam, "conv"), IMAGES)
    batch_mean = number(attach_attention(model, cbam, "conv")(IMAGES)).mean()
    assert abs(batch_mean) < 0.1


# Errors


def test_where_nothing_matches_the_places_are_listed():
    model = residual_model()
    with pytest.raises(ValueError) as error:
        attach_attention(model, cbam, "block_3*")
    for point in attachment_points(model, "*"):
        assert point.name in str(error.value)
    assert "Received: where='block_3*'" in str(error.value)
    assert attachment_points(model, "block_3*") == []
    long = keras.Sequential([keras.Input((2,))])
    for i in range(53):
        long.add(layers.ReLU(name=f"relu_{i}"))
    with pytest.raises(ValueError, match="relu_49 and 3 more"):
        attach_attention(long, cbam)


@pytest.mark.parametrize("where", [None, 3, layers.ReLU(), ["conv"]])
def test_another_kind_of_where_is_refused(where):
    with pytest.raises(ValueError, match="Received: where="):
        attach_attention(residual_model(), cbam, where)


@pytest.mark.parametrize(
    "make_layer",
    [
        CBAM(),
        "CBAM",
        None,
        layers.Dense,  # units
        SelectiveKernel,
        lambda point, ratio: CBAM(ratio),
    ],
)
def test_what_makes_no_layer_for_a_place_is_refused(make_layer):
    with pytest.raises(ValueError, match="`make_layer` must make a new layer"):
        attach_attention(residual_model(), make_layer)


def test_what_is_no_layer_is_refused():
    with pytest.raises(ValueError, match="must return a `keras.layers.Layer`"):
        attach_attention(residual_model(), lambda: CBAM)


def test_one_layer_for_several_places_is_refused():
    shared = cbam()
    with pytest.raises(ValueError, match="the same layer"):
        attach_attention(residual_model(), lambda: shared)


def test_a_place_that_the_layer_cannot_take_is_named():
    with pytest.raises(
        ValueError, match=r"CBAM at 'pool' of shape \(None, 4\)"
    ):
        attach_attention(residual_model(), cbam, "*p*oo*")


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: layers.Conv2D(7, 1),
        layers.GlobalMaxPooling2D,
        lambda: layers.LSTM(3, return_state=True, return_sequences=True),
    ],
)
def test_a_layer_that_changes_the_shape_is_refused(make_layer):
    with pytest.raises(ValueError, match="'block_1_bn_2' of shape"):
        attach_attention(residual_model(), make_layer, "block_1_bn_2")


def test_subclassed_models_are_refused_with_what_to_do():
    class Subclassed(keras.Model):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def call(self, inputs):
            return self.backbone(inputs)

    backbone = residual_model()
    with pytest.raises(ValueError, match="self.backbone = attach_attention"):
        attach_attention(Subclassed(backbone), cbam)
    with pytest.raises(ValueError, match="type Subclassed"):
        attachment_points(Subclassed(backbone))
    model = Subclassed(attach_attention(backbone, cbam))
    close(model(IMAGES), backbone(IMAGES))


def test_other_than_models_are_refused():
    with pytest.raises(ValueError, match="must be built"):
        attachment_points(keras.Sequential([layers.ReLU()]))
    with pytest.raises(ValueError, match="functional or Sequential"):
        attachment_points(layers.ReLU())


def test_weights_of_two_layers_are_refused():
    """As two copies they would part in training."""
    inner = layers.Dense(3, name="tied")
    steps = keras.Input((4, 3))
    x = layers.TimeDistributed(inner, name="steps")(steps)
    model = keras.Model(steps, inner(x))
    with pytest.raises(ValueError, match="in 'steps' and 'tied'"):
        attach_attention(model, lambda: SEBlock(2), "steps")


# keras.applications


BACKBONES = {
    "ResNet50": "before_sum",
    "ResNet50V2": "before_sum",
    "MobileNet": "conv_pw_*_bn",
    "MobileNetV2": "*_project_BN",
    "MobileNetV3Small": "before_sum",
    "MobileNetV3Large": layers.ZeroPadding2D,
    "EfficientNetB0": "before_sum",
    "EfficientNetV2B0": "*_add",
    "ConvNeXtTiny": "before_sum",
    "DenseNet121": "pool?_relu",
    "VGG16": layers.MaxPooling2D,
    "Xception": "before_sum",
}
if keras.backend.backend() != "tensorflow":
    # All pass there too, but on JAX in nine minutes: it compiles each layer.
    BACKBONES = {"VGG16": BACKBONES["VGG16"]}
BEFORE_SUMS = {
    "ResNet50": [
        f"conv{stage}_block{i + 1}_3_bn"
        for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3))
        for i in range(blocks)
    ],
    "MobileNetV2": [
        f"block_{i}_project_BN" for i in (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)
    ],
    "EfficientNetB0": [
        f"block{block}_project_bn"
        for block in ("2b", "3b", "4b", "4c", "5b", "5c", "6b", "6c", "6d")
    ],
    "ConvNeXtTiny": [
        f"convnext_tiny_stage_{stage}_block_{i}_pointwise_conv_2"
        for stage, blocks in enumerate((3, 3, 9, 3))
        for i in range(blocks)
    ],
}


@functools.cache
def backbone(name):
    size = 71 if name == "Xception" else 32
    return randomised(
        getattr(keras.applications, name)(
            weights=None,
            include_top=False,
            pooling="avg",
            input_shape=(size, size, 3),
        )
    )


@pytest.mark.parametrize("name", sorted(BEFORE_SUMS.keys() & BACKBONES.keys()))
def test_residual_branches_of_known_networks_end_before_their_sum(name):
    points = attachment_points(backbone(name))
    assert [point.name for point in points] == BEFORE_SUMS[name]


@pytest.mark.parametrize(
    "name", sorted({"VGG16", "DenseNet121"} & BACKBONES.keys())
)
def test_networks_without_sums_have_no_such_place(name):
    assert attachment_points(backbone(name)) == []


@pytest.mark.parametrize("name, where", BACKBONES.items())
@pytest.mark.slow
def test_backbones_keep_their_answers_and_weights(name, where):
    model = backbone(name)
    attached = attach_attention(model, cbam, where)
    points = attachment_points(model, where)
    assert {f"{p.name}_cbam" for p in points} == names(attached) - names(model)
    size = model.input.shape[1]
    data = np.random.default_rng(2).random((2, size, size, 3)) * 255
    data[1] *= 0.3
    check_same(model, attached, data.astype("float32"))


@pytest.mark.parametrize(
    "name", ["residual", *(["MobileNet"] if "MobileNet" in BACKBONES else [])]
)
@pytest.mark.slow
def test_an_attached_model_trains_saves_loads_and_exports(name, tmp_path):
    model, where = residual_model(), "before_sum"
    if name == "MobileNet":
        model, where = small_mobilenet(), "conv_pw_*2_bn"
    attached = attach_attention(model, cbam, where)
    data = np.random.default_rng(3).random((4, 32, 32, 3)).astype("float32")
    if name == "residual":
        data = IMAGES
    compiled(attached, "adam")
    before = [number(v) for v in attached.trainable_weights]
    attached.fit(data, np.ones((len(data), 5)), epochs=3, verbose=0)
    for old, new in zip(before, attached.trainable_weights, strict=True):
        assert np.any(old != number(new)), new.path
    answers = number(attached(data, training=False))

    attached.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    close(loaded(data, training=False), answers)
    assert names(loaded) == names(attached)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        attached.export(tmp_path / "served", verbose=False)
        served = tf.saved_model.load(str(tmp_path / "served"))
        close(served.serve(data), answers)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="LiteRT needs TensorFlow"
)
def test_attached_models_export_to_litert(tmp_path):
    """CBAM, SE and self-attention over the places of a map, in one file."""
    model = residual_model()
    for make_layer, where in (
        (lambda: CBAM(ratio=2), "block_1_bn_2"),
        (lambda: SEBlock(ratio=2), "block_2_bn_2"),
        (attending, "block_2_bn_1"),
    ):
        before = number(model(IMAGES))
        model = attach_attention(model, make_layer, where)
        assert np.abs(number(model(IMAGES)) - before).max() > 1e-3
    run = litert_runner(model, tmp_path / "attached.tflite")
    for images in (IMAGES, IMAGES[:1]):
        (answers,) = run(image=images).values()
        close(answers, model(images))


def small_mobilenet():
    return randomised(
        keras.applications.MobileNet(
            input_shape=(32, 32, 3),
            alpha=0.25,
            weights=None,
            classes=5,
            classifier_activation=None,
        )
    )


def names(model):
    return {layer.name for layer in model.layers}


def fit(model):
    compiled(model, keras.optimizers.SGD(0.1))
    model.fit(IMAGES, np.ones((3, 5)), batch_size=3, verbose=0)


def compiled(model, optimizer):
    """On TensorFlow a few steps take less time than making their graph."""
    eager = keras.backend.backend() == "tensorflow"
    model.compile(optimizer, "mse", run_eagerly=eager)


def old_weights(model, attached):
    """The weights of the attached model that the model has too, in order."""
    found = []
    for layer in model.layers:
        twin = attached.get_layer(layer.name)
        if isinstance(layer, keras.Model):
            found += old_weights(layer, twin)
        else:
            found += twin.weights
    return found


def check_same(model, attached, data):
    """All weights, and the answers to 1e-5; and the answers say something."""
    kept = old_weights(model, attached)
    for old, new in zip(weights_in_order(model), kept, strict=True):
        assert old is not new
        assert np.array_equal(number(old), number(new)), new.path
    answers = model(data, training=False)
    after = attached(data, training=False)
    keras.tree.assert_same_structure(after, answers)
    old_and_new = map(keras.tree.flatten, (answers, after))
    for old, new in zip(*old_and_new, strict=True):
        assert keras.backend.standardize_dtype(
            old.dtype
        ) == keras.backend.standardize_dtype(new.dtype)
        old = number(old).astype("float32")
        assert np.isfinite(old).all() and old.std(axis=0).max() > 1e-4
        np.testing.assert_allclose(number(new), old, rtol=0, atol=1e-5)


def weights_in_order(model):
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += weights_in_order(layer)
        else:
            found += layer.weights
    return found


def number(x):
    return keras.ops.convert_to_numpy(x)


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(number(a), number(b), rtol=0, atol=tolerance)
