"""salient_object_detector: decoders, windows, counts, learning, errors."""

import keras
import numpy as np
import pytest

from keras_attention import (
    ContextAwarePyramid,
    PixelwiseContextualAttention,
    attention_maps,
)
from keras_attention.looking import attention_model
from tests.functional.test_resizing import by_hand
from tests.numbers import close, numpy, randomize, sigmoid
from zoo.backbones import backbone_of
from zoo.segmentation.salient_object_detector import (
    PRESETS,
    SpatialGate,
    salient_object_detector,
)

SHAPE = (32, 48, 3)
DECODERS = ("pfan", "ungated", "picanet", "plain")
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE))
IMAGES = IMAGES.astype("float32")


def built(decoder, input_shape=SHAPE, **arguments):
    """A tiny network, each of whose weights is a number of its own."""
    model = salient_object_detector(
        input_shape, decoder=decoder, **{**PRESETS["tiny"], **arguments}
    )
    for place, layer in enumerate(model.layers):
        randomize(layer, place)
    return model


@pytest.fixture(scope="module")
def models():
    """One of each decoder, which no test changes."""
    return {decoder: built(decoder) for decoder in DECODERS}


def trainable(thing):
    return sum(int(np.prod(v.shape)) for v in thing.trainable_variables)


def squares(count, shape=SHAPE):
    """Images of noise, with a bright square, which is salient."""
    generator = np.random.default_rng(0)
    images = generator.uniform(50, 150, (count, *shape))
    masks = np.zeros((count, *shape[:2], 1), "float32")
    for image, mask in zip(images, masks):
        y, x = (generator.integers(0, side - 12) for side in shape[:2])
        image[y : y + 12, x : x + 12] = 250
        mask[y : y + 12, x : x + 12] = 1
    return images.astype("float32"), masks


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("shape", [(24, 16, 1), (8, 8, 3)])
def test_gives_each_pixel_a_logit(decoder, shape):
    model = salient_object_detector(shape, decoder=decoder, **PRESETS["tiny"])
    assert model.output_shape == (None, *shape[:2], 1)
    assert model.layers[-1].name == "logits"
    found = numpy(model(np.full((2, *shape), 9, "float32")))
    assert found.shape == (2, *shape[:2], 1) and np.isfinite(found).all()


def test_the_plain_decoder_has_as_many_parameters_as_attention():
    for preset, slack in (("tiny", 0.02), ("small", 0.003)):
        attended, plain = (
            trainable(
                salient_object_detector(
                    (64, 96, 3), decoder=decoder, **PRESETS[preset]
                )
            )
            for decoder in ("picanet", "plain")
        )
        assert abs(plain / attended - 1) < slack, preset


def test_each_attention_has_a_counterpart_of_its_size(models):
    attended, plain = models["picanet"], models["plain"]
    for level in (2, 3, 4):
        attention = trainable(attended.get_layer(f"decoder_{level}_attention"))
        counterpart = sum(
            trainable(plain.get_layer(f"decoder_{level}_{part}"))
            for part in ("wide_conv", "wide_norm", "narrow_conv", "narrow_norm")
        )
        # One more channel would be 9 x 8, 8 and 2 more.
        assert abs(counterpart - attention) <= 82 / 2
    skip = ("_attention", "_wide", "_narrow")
    rest = [
        {la.name: trainable(la) for la in model.layers if not hidden(la, skip)}
        for model in (attended, plain)
    ]
    assert rest[0] == rest[1]


def test_without_gates_it_is_pfan_whose_gates_are_1(models):
    gated, ungated = built("pfan"), models["ungated"]
    pyramid = gated.get_layer("decoder_pyramid")
    pyramid.expand.bias.assign(numpy(pyramid.expand.bias) + 1e4)
    for name in ("decoder_row_column", "decoder_column_row"):
        gated.get_layer(name).bias.assign([1e4])
    maps = attention_maps(gated, IMAGES)
    assert {name: (x.min(), x.max()) for name, x in maps.items()} == {
        "decoder_pyramid": (1, 1),
        "decoder_gate": (1, 1),
    }
    far = PRESETS["tiny"]["rates"]
    parts = ["near", *(f"far_{rate}" for rate in far)]
    for layer in ungated.layers:
        if "pyramid" not in layer.name:
            layer.set_weights(gated.get_layer(layer.name).get_weights())
    for place, (convs, norm) in enumerate(zip(pyramid.convs, pyramid.norms)):
        shares = [np.split(w, len(parts)) for w in norm.get_weights()]
        for part, conv, share in zip(parts, convs, zip(*shares)):
            conv.bias.assign(0 * conv.bias)
            name = f"decoder_pyramid_{place + 1}_{part}"
            ungated.get_layer(f"{name}_conv").set_weights([conv.kernel])
            ungated.get_layer(f"{name}_norm").set_weights(share)
    close(ungated(IMAGES), gated(IMAGES), 1e-4, 1e-4)


def hidden(layer, parts):
    return any(part in layer.name for part in parts)


def test_attends_globally_at_the_coarsest_levels_and_not_at_the_finest():
    model = salient_object_detector(
        (64, 96, 3), decoder="picanet", **PRESETS["small"]
    )
    usual = salient_object_detector((64, 96, 3), decoder="picanet")
    found = {
        la.name: (la.mode, la.kernel, la.dilation, la.units)
        for la in model.layers
        if isinstance(la, PixelwiseContextualAttention)
    }
    # Maps of 8 x 12, 16 x 24, 32 x 48.
    assert found == {
        "decoder_4_attention": ("global", 8, 2, 32),
        "decoder_3_attention": ("global", 8, 2, 32),
        "decoder_2_attention": ("local", 7, 1, 16),
    }
    for level, window in ((4, (10, 3)), (3, (10, 3)), (2, (7, 2))):
        layer = usual.get_layer(f"decoder_{level}_attention")
        assert (layer.kernel, layer.dilation) == window  # the paper's
    sizes = [model.get_layer(name).input.shape[1:] for name in sorted(found)]
    assert sizes == [(32, 48, 32), (16, 24, 32), (8, 12, 32)]


def test_what_a_level_says_is_joined_with_what_it_attended_to(models):
    model = models["picanet"]
    for level in (2, 3, 4):
        attention = model.get_layer(f"decoder_{level}_attention")
        fused, around = model.get_layer(f"decoder_{level}_concat").input
        assert around is attention.output
        assert fused is attention.input
        assert fused is model.get_layer(f"decoder_{level}_fused_relu").output
    names = [la.name for la in model.layers]
    assert "decoder_4_skip" not in names
    for level in (1, 2, 3):
        skip, coarser = model.get_layer(f"decoder_{level}_skip").input
        assert skip.shape[1:3] == coarser.shape[1:3]
        assert (
            skip is model.get_layer(f"encoder_{level}_block_1_relu").output
        ), level


def test_the_pyramid_reads_all_but_the_two_finest_levels():
    model = salient_object_detector(
        (64, 96, 3), filters=(4, 6, 8, 10, 12), decoder_filters=8
    )
    layer = model.get_layer("decoder_pyramid")
    assert isinstance(layer, ContextAwarePyramid)
    assert (layer.filters, layer.rates) == (4, (3, 5, 7))
    shapes = [x.shape[1:] for x in layer.input]
    assert shapes == [(16, 24, 8), (8, 12, 10), (4, 6, 12)]


def test_rows_and_columns_are_crossed(models):
    model = models["pfan"]  # whose coarse map is 8 x 12
    sides = {
        la.name: la.kernel_size
        for la in model.layers
        if la.name.startswith(("decoder_row", "decoder_column"))
        and hasattr(la, "kernel_size")
    }
    assert sides == {
        "decoder_row_conv": (1, 9),
        "decoder_row_column": (9, 1),
        "decoder_column_conv": (9, 1),
        "decoder_column_row": (1, 9),
    }
    assert {"decoder_row_column", "decoder_column_row"} == {
        x._keras_history.operation.name
        for x in model.get_layer("decoder_gate_logits").input
    }


def test_places_are_gated_as_by_hand():
    generator = np.random.default_rng(2)
    inputs = generator.normal(size=(2, 8, 6, 4)).astype("float32")
    logits = generator.normal(0, 3, size=(2, 4, 3, 1)).astype("float32")
    output, gate = SpatialGate()(inputs, logits, return_attention_scores=True)
    expected = np.stack([sigmoid(by_hand(each, (8, 6))) for each in logits])
    close(gate, expected)
    close(output, expected * inputs)
    close(SpatialGate()(inputs, logits), output)


def test_places_can_be_shut_out():
    """Were there a ReLU before the sum, no gate would be below 1/2."""
    model = built("pfan")
    low = model.get_layer("decoder_low_conv").kernel

    def changed_by_the_fine_levels():
        before = numpy(model(IMAGES))
        low.assign(numpy(low) + 1.0)
        return np.abs(numpy(model(IMAGES)) - before).max()

    assert changed_by_the_fine_levels() > 1e-2
    gates = attention_maps(model, IMAGES)["decoder_gate"]
    assert gates.min() < 0.4 and gates.max() > 0.6
    for name in ("decoder_row_column", "decoder_column_row"):
        layer = model.get_layer(name)
        layer.bias.assign([-1e4])
    assert changed_by_the_fine_levels() == 0


@pytest.mark.parametrize("decoder", DECODERS)
def test_weights_fit_every_size(decoder):
    small, large = built(decoder, (8, 16, 3)), built(decoder, (48, 80, 3))
    large.set_weights(small.get_weights())
    assert numpy(large(np.ones((1, 48, 80, 3)))).shape == (1, 48, 80, 1)


def test_shows_where_it_looked(models):
    expected = {
        "pfan": {
            "decoder_pyramid": (3, 1, 1, 4 * 3 * 2),
            "decoder_gate": (3, 32, 48, 1),
        },
        "picanet": {
            "decoder_4_attention": (3, 4, 6, 16),
            "decoder_3_attention": (3, 8, 12, 16),
            "decoder_2_attention": (3, 16, 24, 9),
        },
    }
    for decoder, shapes in expected.items():
        model = models[decoder]
        outputs, maps = attention_model(model, return_outputs=True)(IMAGES)
        assert {name: tuple(x.shape) for name, x in maps.items()} == shapes
        close(outputs, model(IMAGES), 1e-4, 1e-4)
    for each in maps.values():
        close(numpy(each).sum(axis=-1), np.ones(each.shape[:3]))
    for decoder in ("ungated", "plain"):
        with pytest.raises(ValueError, match="must contain an attention layer"):
            attention_model(models[decoder])


@pytest.mark.parametrize("decoder", DECODERS)
def test_no_image_sees_another(decoder, models):
    model = models[decoder]
    close(model(IMAGES[1:2]), numpy(model(IMAGES))[1:2], 1e-3, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
def test_learns_a_handful_of_images(decoder, tmp_path):
    images, masks = squares(6)
    model = salient_object_detector(SHAPE, decoder=decoder, **PRESETS["tiny"])
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    log = model.fit(images, masks, batch_size=6, epochs=20, verbose=0)
    first, last = log.history["loss"][0], log.history["loss"][-1]
    assert last < 0.5 * first
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    close(again(images), model(images), 1e-4, 1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
def test_computes_in_half_precision_and_says_logits_in_full(decoder):
    keras.config.set_dtype_policy("mixed_float16")
    model = salient_object_detector(SHAPE, decoder=decoder, **PRESETS["tiny"])
    assert model.get_layer("encoder_stem_conv").compute_dtype == "float16"
    found = model(IMAGES)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.isfinite(numpy(found)).all()


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["pfan", "picanet"])
def test_takes_a_backbone(decoder):
    model = salient_object_detector(
        (64, 96, 3),
        decoder=decoder,
        decoder_filters=8,
        backbone="MobileNetV3Small",
    )
    assert backbone_of(model).application == "MobileNetV3Small"
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3))
    found = numpy(model(images.astype("float32")))
    assert found.shape == (2, 64, 96, 1) and np.isfinite(found).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"decoder": "picnet"}, "decoder='picnet'"),
        ({"decoder_filters": 1}, "decoder_filters=1"),
        ({"filters": (4, 8)}, r"filters=\(4, 8\)"),
        ({"blocks": (1, 1)}, r"blocks=\(1, 1\)"),
        ({"input_shape": (36, 48, 3)}, r"input_shape=\(36, 48, 3\)"),
        ({"backbone": "VGG15", "input_shape": (32, 64, 3)}, "'VGG15'"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": SHAPE, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        salient_object_detector(**{**good, **arguments})
