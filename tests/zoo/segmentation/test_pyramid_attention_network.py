"""pyramid_attention_network: counts, gates, comparisons, learning, errors."""

import itertools

import keras
import numpy as np
import pytest

from keras_attention import (
    FeaturePyramidAttention,
    GlobalAttentionUpsample,
    attention_maps,
)
from keras_attention.looking import attention_model
from tests.numbers import close, numpy, randomize
from zoo.backbones import backbone_of
from zoo.segmentation.pyramid_attention_network import (
    PRESETS,
    pyramid_attention_network,
)

SHAPE = (32, 48, 3)
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE))
IMAGES = IMAGES.astype("float32")


def built(input_shape=SHAPE, num_classes=4, seed=0, **arguments):
    """A tiny network, each of whose weights is a number of its own."""
    model = pyramid_attention_network(
        input_shape, num_classes, **{**PRESETS["tiny"], **arguments}
    )
    for place, layer in enumerate(model.layers):
        randomize(layer, seed + place)
    return model


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def convolution(channels, filters, side):
    """A convolution without bias, and its normalisation."""
    return side**2 * channels * filters + 2 * filters


def rectangles(count, shape=SHAPE):
    """Images of noise, with a bright rectangle of class 1 and a dark of 2."""
    generator = np.random.default_rng(0)
    images = generator.uniform(100, 150, (count, *shape))
    masks = np.zeros((count, *shape[:2]), "int32")
    for image, mask in zip(images, masks):
        for label, value in ((1, 250), (2, 5)):
            y, x = (generator.integers(0, side - 12) for side in shape[:2])
            image[y : y + 12, x : x + 12] = value
            mask[y : y + 12, x : x + 12] = label
    return images.astype("float32"), masks


@pytest.mark.parametrize("shape", [(32, 48, 3), (24, 16, 1), (8, 8, 4)])
@pytest.mark.parametrize("num_classes", [2, 7])
def test_gives_each_pixel_a_logit_for_each_class(shape, num_classes):
    model = pyramid_attention_network(shape, num_classes, **PRESETS["tiny"])
    assert model.output_shape == (None, *shape[:2], num_classes)
    assert model.layers[-1].name == "logits"
    found = model(np.zeros((2, *shape), "float32"))
    assert tuple(found.shape) == (2, *shape[:2], num_classes)


def test_has_the_parameters_of_its_parts():
    model = pyramid_attention_network(SHAPE, 5, **PRESETS["tiny"])
    encoder = convolution(3, 4, 3)
    encoder += 2 * convolution(4, 4, 3)
    for channels, filters in ((4, 8), (8, 16)):
        encoder += convolution(channels, filters, 3)
        encoder += convolution(filters, filters, 3)
        encoder += convolution(channels, filters, 1)
    # Kernels 7 and 3, of one channel.
    pyramid = 2 * convolution(16, 8, 1)
    pyramid += convolution(16, 1, 7) + convolution(1, 1, 3)
    pyramid += convolution(1, 1, 7) + convolution(1, 1, 3)
    upsamples = sum(
        convolution(low, 8, 3) + 2 * convolution(8, 8, 1) for low in (4, 8)
    )
    assert trainable(model) == encoder + pyramid + upsamples + 9 * 8 * 5 + 5


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_what_is_compared_has_nearly_as_many_parameters(preset):
    counts = {
        options: trainable(
            pyramid_attention_network(
                (64, 64, 3),
                8,
                pyramid=options[0],
                upsample=options[1],
                **PRESETS[preset],
            )
        )
        for options in itertools.product((True, False), ("gau", "add", "none"))
    }
    assert len({*counts.values()}) == 6
    upsamples = [n for (pyramid, _), n in counts.items() if pyramid]
    pyramids = [n for (_, upsample), n in counts.items() if upsample == "gau"]
    # Of a tiny network the pyramid's kernel of 7 x 7 is a large part.
    for group, slack in (
        (upsamples, {"tiny": 0.05, "small": 0.03}),
        (pyramids, {"tiny": 0.17, "small": 0.03}),
    ):
        assert max(group) < (1 + slack[preset]) * min(group), counts


def test_a_pyramid_or_a_convolution_ends_the_encoder():
    with_it, without = built(), built(pyramid=False)
    kinds = [la.name for la in with_it.layers if "decoder_pyramid" in la.name]
    assert kinds == ["decoder_pyramid"]
    layer = with_it.get_layer("decoder_pyramid")
    assert isinstance(layer, FeaturePyramidAttention)
    assert layer.filters == 8 and layer.kernels == (7, 3)
    assert not any(
        isinstance(la, FeaturePyramidAttention) for la in without.layers
    )
    top = without.get_layer("decoder_top_conv")
    assert top.kernel.shape == (1, 1, 16, 8)
    assert tuple(top.input.shape) == tuple(layer.input.shape)


def test_a_gate_of_zero_leaves_nothing_of_the_finer_level():
    model = built()
    before = numpy(model(IMAGES))
    upsample = model.get_layer("decoder_1_upsample")
    assert isinstance(upsample, GlobalAttentionUpsample)

    def changed_by_the_finer_level(model):
        old = numpy(model(IMAGES))
        kernel = upsample.low_conv.kernel
        kernel.assign(numpy(kernel) + 1.0)
        return np.abs(numpy(model(IMAGES)) - old).max()

    assert changed_by_the_finer_level(model) > 1e-2
    upsample.gate_norm.gamma.assign(0 * numpy(upsample.gate_norm.gamma))
    upsample.gate_norm.beta.assign(0 * numpy(upsample.gate_norm.beta) - 1)
    assert changed_by_the_finer_level(model) == 0
    assert np.abs(numpy(model(IMAGES)) - before).max() > 1e-3


def test_a_gate_of_one_is_the_plain_sum():
    gated, added = built(), built(upsample="add")
    for layer in added.layers:
        if not layer.name.startswith(("decoder_1", "decoder_2")):
            if layer.weights:
                gated.get_layer(layer.name).set_weights(layer.get_weights())
    for level in (1, 2):
        upsample = gated.get_layer(f"decoder_{level}_upsample")
        norm = upsample.gate_norm
        norm.gamma.assign(0 * numpy(norm.gamma))
        norm.beta.assign(0 * numpy(norm.beta) + 1)
        for way in ("low", "high"):
            for part in ("conv", "norm"):
                layer = added.get_layer(f"decoder_{level}_{way}_{part}")
                own = getattr(upsample, f"{way}_{part}")
                own.set_weights(layer.get_weights())
    close(gated(IMAGES), added(IMAGES), 1e-3, 1e-3)


@pytest.mark.parametrize("upsample", ["gau", "add", "none"])
def test_only_without_skips_all_comes_from_the_coarsest_level(upsample):
    model = built(upsample=upsample, pyramid=False)
    norm = model.get_layer("decoder_top_norm")
    for part in (norm.gamma, norm.beta):
        part.assign(0 * numpy(part))  # nothing of it is left
    found = numpy(model(IMAGES))
    same = np.ptp(found, axis=0).max() < 1e-5
    assert same == (upsample == "none")


def test_options_reach_the_layers():
    model = built(gate="sigmoid", decoder_filters=6)
    for level in (1, 2):
        upsample = model.get_layer(f"decoder_{level}_upsample")
        assert (upsample.gate, upsample.filters) == ("sigmoid", 6)
        low, high = upsample.input
        assert low.shape[1:] == (32 // level, 48 // level, 4 * level)
        assert high.shape[1:3] == (16 // level, 24 // level)
    assert model.get_layer("decoder_pyramid").filters == 6
    assert model.get_layer("logits").kernel.shape == (3, 3, 6, 4)
    names = [la.name for la in built(blocks=(1, 2, 1)).layers]
    assert "encoder_2_block_2_add" in names
    assert "encoder_1_block_2_add" not in names


def test_weights_fit_every_size():
    small, large = built((8, 4, 3)), built((48, 80, 3))
    large.set_weights(small.get_weights())
    assert numpy(large(np.ones((1, 48, 80, 3)))).shape == (1, 48, 80, 4)
    usual = pyramid_attention_network((64, 64, 3), 4)
    assert usual.get_layer("decoder_pyramid").kernels == (7, 5, 3)


def test_shows_where_it_looked():
    model = built()
    expected = {
        "decoder_pyramid": (3, 8, 12, 1),
        "decoder_2_upsample": (3, 1, 1, 8),
        "decoder_1_upsample": (3, 1, 1, 8),
    }
    found = attention_maps(model, IMAGES)
    assert {name: x.shape for name, x in found.items()} == expected
    outputs, maps = attention_model(model, return_outputs=True)(IMAGES)
    close(outputs, model(IMAGES))
    for name, each in found.items():
        close(maps[name], each)
    plain = built(pyramid=False, upsample="add")
    with pytest.raises(ValueError, match="must contain an attention layer"):
        attention_model(plain)


@pytest.mark.parametrize("upsample", ["gau", "add", "none"])
def test_no_image_sees_another(upsample):
    model = built(upsample=upsample)
    close(model(IMAGES[1:2]), numpy(model(IMAGES))[1:2], 1e-3, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [{}, {"pyramid": False, "upsample": "none"}]
)
def test_learns_a_handful_of_images(arguments, tmp_path):
    images, masks = rectangles(6)
    model = pyramid_attention_network(
        SHAPE, 3, **{**PRESETS["tiny"], **arguments}
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    log = model.fit(images, masks, batch_size=6, epochs=20, verbose=0)
    first, last = log.history["loss"][0], log.history["loss"][-1]
    assert last < 0.5 * first
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    close(again(images), model(images))


def test_computes_in_half_precision_and_says_logits_in_full():
    keras.config.set_dtype_policy("mixed_float16")
    model = pyramid_attention_network(SHAPE, 3, **PRESETS["tiny"])
    assert model.get_layer("decoder_pyramid").compute_dtype == "float16"
    found = model(IMAGES)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.isfinite(numpy(found)).all()


@pytest.mark.slow
def test_takes_a_backbone(tmp_path):
    model = pyramid_attention_network(
        (64, 96, 3), 3, decoder_filters=8, backbone="MobileNetV3Small"
    )
    assert backbone_of(model).application == "MobileNetV3Small"
    levels = [
        model.get_layer(f"decoder_{level}_upsample").input[0].shape[1:3]
        for level in (1, 2, 3)
    ]
    assert levels == [(16, 24), (8, 12), (4, 6)]
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3))
    images = images.astype("float32")
    found = numpy(model(images))
    assert found.shape == (2, 64, 96, 3) and np.isfinite(found).all()
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    close(again(images), found)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"upsample": "gua"}, "upsample='gua'"),
        ({"gate": "tanh"}, "gate='tanh'"),
        ({"gate": "tanh", "upsample": "add"}, "gate='tanh'"),
        ({"filters": (4,)}, r"filters=\(4,\)"),
        ({"blocks": (1, 1)}, r"blocks=\(1, 1\)"),
        ({"input_shape": (30, 48, 3)}, r"input_shape=\(30, 48, 3\)"),
        ({"decoder_filters": 0}, "filters=0"),
        ({"backbone": "VGG15", "input_shape": (32, 64, 3)}, "'VGG15'"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": SHAPE, "num_classes": 3, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        pyramid_attention_network(**{**good, **arguments})
