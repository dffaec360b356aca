"""ra_cnn: where each scale looks, what trains what, and what is kept."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_attention import attention_maps
from tests.numbers import close, numpy, relu, sigmoid, softmax
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data
from zoo.image_classification.ra_cnn import (
    PRESETS,
    AttentionProposal,
    ra_cnn,
    ra_cnn_loss,
    rank_loss,
    strongest_square,
)
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image as ImageInput
from zoo.outputs.label import Label
from zoo.own_loss import NetworkWithOwnLoss

RNG = np.random.default_rng(0)
SHAPE = (16, 24, 3)  # not square, so that x and y are told apart
IMAGES = RNG.uniform(0, 255, (4, *SHAPE)).astype("float32")
Y = np.array([0, 1, 2, 1])
SCALES = RNG.normal(size=(4, 3, 5)).astype("float32")


def network(**arguments):
    keras.utils.set_random_seed(0)
    options = {"pretraining_steps": 0, **PRESETS["tiny"], **arguments}
    model = ra_cnn(SHAPE, 3, **options)
    for number, layer in enumerate(proposals(model)):  # off the centre
        kernel = layer.out.kernel
        generator = np.random.default_rng(number)
        kernel.assign(generator.normal(size=kernel.shape))
    return model


def proposals(model):
    return [la for la in model.layers if isinstance(la, AttentionProposal)]


def compiled(model, loss=None, rate=0.05, **options):
    if loss is None:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, **options)
    return model


def moved(model, own_loss, steps=1):
    """Names of the layers that `own_loss` alone trains."""
    compiled(model, lambda y, output: 0.0 * output, run_eagerly=True)
    vars(model)["own_loss"] = alone(own_loss)
    before = {la.name: trainable(la) for la in model.layers}
    model.fit(IMAGES, Y, epochs=steps, batch_size=4, verbose=0)
    return {
        la.name
        for la in model.layers
        for old, new in zip(before[la.name], trainable(la), strict=True)
        if np.abs(old - new).max() > 1e-9
    }


def alone(own_loss):
    """The loss, and a gradient of zero for all that it does not read."""

    def loss(y, output, more):
        return own_loss(y, output, more) + 0.0 * ops.sum(more["scales"])

    return loss


def trainable(layer):
    return [numpy(v.value).copy() for v in layer.trainable_variables]


def of_scale(place):
    def loss(y, output, more):
        return ra_cnn_loss(y, more["scales"][:, place : place + 1])

    return loss


def boxes(model):
    found = [la.output[0] for la in proposals(model)]
    return keras.Model(model.input, found).predict(IMAGES, verbose=0)


# Equations


def test_has_the_layers_of_the_scales():
    model = network()
    # Two 3x3 convolutions without bias, and their normalisations, three times.
    trunk = 9 * (3 * 4 + 4 * 8) + 2 * (4 + 8)
    # Of a crop of 8 x 12: a map of 4 x 6, of eight channels each.
    proposal = (8 + 1) * 8 + (4 * 6 * 8 + 1) * 8 + (8 + 1) * 3
    head = 3 * (8 * 3 + 3) + (3 * 8 + 1) * 3
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert count == 3 * trunk + 2 * proposal + head
    assert len(proposals(model)) == 2
    # One scale is the plain network.
    plain = network(num_scales=1)
    assert plain(IMAGES).shape == (4, 3) and not proposals(plain)


def test_rank_loss_is_the_papers_on_probabilities_of_the_true_class():
    labels, margin = np.array([4, 0, 2, 2]), 0.3
    expected = []
    for scores, label in zip(SCALES, labels):
        sure = [softmax(scale)[label] for scale in scores]
        expected.append(
            sum(max(0, sure[s] - sure[s + 1] + margin) for s in range(2))
        )
    close(rank_loss(labels, ops.convert_to_tensor(SCALES), margin), expected)
    # Probabilities, not logits: a constant on all classes changes nothing.
    shifted = SCALES + np.array([0, 7.0, -5])[None, :, None].astype("float32")
    close(rank_loss(labels, ops.convert_to_tensor(shifted), margin), expected)


def test_the_loss_is_that_of_all_scales_ranks_and_proposals():
    labels, error = np.array([4, 0, 2, 2]), np.array([1.0, 2, 3, 4], "float32")
    ranks = numpy(rank_loss(labels, ops.convert_to_tensor(SCALES), 0.1))
    entropy = [
        -sum(np.log(softmax(scale)[label]) for scale in scores)
        for scores, label in zip(SCALES, labels)
    ]
    scales = ops.convert_to_tensor(SCALES)
    found = ra_cnn_loss(labels, scales, [error, error], 0.1)
    close(found, entropy + ranks + 2 * error)
    close(ra_cnn_loss(labels[:, None], scales, [], 0.1), entropy + ranks)


def test_a_training_step_adds_the_loss():
    model = compiled(network(margin=0.2, pretraining_steps=9), rate=0.0)
    model.evaluate(IMAGES, Y, verbose=0)
    parts = model(IMAGES, training=True)
    logits, more = numpy(parts["output"]), parts["more"]
    entropy = [-np.log(softmax(x)[label]) for x, label in zip(logits, Y)]
    own = numpy(ra_cnn_loss(Y, more["scales"], more["errors"], 0.2))
    assert len(more["errors"]) == 2 and numpy(more["errors"][0]).min() > 0
    log = model.fit(IMAGES, Y, batch_size=4, verbose=0).history
    assert log["loss"][0] == pytest.approx(np.mean(entropy + own), rel=1e-4)


def test_a_proposal_is_the_papers_inside_of_its_parent():
    layer = AttentionProposal(5, smallest=0.25)
    features = RNG.normal(size=(6, 3, 4, 2)).astype("float32")
    parent = np.array([[0.3, -0.5, 0.4]] * 6, "float32")
    layer(features, parent)
    for weight in layer.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    W, v = (numpy(w) for w in layer.reduce.weights)
    V, c = (numpy(w) for w in layer.hidden.weights)
    U, d = (numpy(w) for w in layer.out.weights)
    found = numpy(layer(features, parent)["box"])
    for sample, box in zip(features, found):
        said = sigmoid(np.tanh((sample @ W + v).ravel() @ V + c) @ U + d)
        half = 0.25 + 0.75 * said[2]
        place = (2 * said[:2] - 1) * (1 - half)
        expected = [0.3 + 0.4 * place[0], -0.5 + 0.4 * place[1], 0.4 * half]
        close(box, expected)
    whole = numpy(layer(features)["box"])
    close(found, [[0.3, -0.5, 0]] + 0.4 * whole)
    assert found.dtype == "float32"


@pytest.mark.parametrize("smallest", [0.1, 1 / 3, 0.5])
def test_a_box_begins_in_the_middle_of_its_parent(smallest):
    features = RNG.normal(size=(6, 3, 4, 2)).astype("float32")
    box = AttentionProposal(5, smallest)(features)["box"]
    close(box[:, :2], np.zeros((6, 2)))
    close(box[:, 2], [0.5] * 6, atol=0.01)


@pytest.mark.parametrize("spread", [1, 10])
def test_a_box_is_always_inside_of_its_parent_and_not_too_small(spread):
    model = network(smallest=0.3)
    rng = np.random.default_rng(1)  # whatever other tests drew
    for layer in proposals(model):
        kernel = layer.out.kernel
        kernel.assign(spread * rng.normal(size=kernel.shape))
    outer, inner = boxes(model)
    parents = [np.array([[0, 0, 1.0]] * 4), outer]
    for box, parent in zip((outer, inner), parents):
        share = box[:, 2] / parent[:, 2]
        assert (share > 0.3 - 1e-5).all() and (share <= 1 + 1e-5).all()
        apart = np.abs(box[:, :2] - parent[:, :2]).max(axis=1)
        assert (apart <= parent[:, 2] - box[:, 2] + 1e-5).all()
    assert np.abs(outer[:, :2]).max() > 0.1


def test_pre_training_finds_the_strongest_activation():
    features = np.zeros((4, 5, 8, 2), "float32")
    features[0, 1, 5] = 1  # beside a single channel that is higher still
    features[0, 4, 0, 0] = 1.5
    features[1, 2, 3] = 2
    features[2, 4, 7] = 1  # in the corner: the square is moved inside
    squares = numpy(strongest_square(ops.convert_to_tensor(features)))
    close(squares[0], [(2 * 5 + 1) / 8 - 1, (2 * 1 + 1) / 5 - 1, 0.5])
    close(squares[1], [(2 * 3 + 1) / 8 - 1, 0, 0.5])
    close(squares[2], [0.5, 0.5, 0.5])
    close(squares[3], [-0.5, -0.5, 0.5])  # of equals the first


def test_each_crop_is_read_from_the_image_where_the_box_says():
    model = network()
    maps = attention_maps(model, IMAGES)
    outer, inner = boxes(model)
    for name, box in (("scale_2_crop", outer), ("scale_3_crop", inner)):
        for transform, (x, y, half) in zip(maps[name], box):
            close(transform, [[half, 0, x], [0, half, y]])
        read = model.get_layer("rescaling").output
        assert model.get_layer(name).input[0] is read
    assert {m.shape for m in maps.values()} == {(4, 2, 3)}
    # An image that is linear in x and in y tells where it is read.
    y, x = np.mgrid[:16, :24]
    ramp = np.zeros((4, *SHAPE), "float32")
    ramp[..., 0] = 127.5 * (2 * x + 1) / 24
    ramp[..., 1] = 127.5 * (2 * y + 1) / 16
    crop = keras.Model(
        model.input,
        [
            model.get_layer("scale_3_crop").output,
            model.get_layer("scale_2_proposal").output[0],
        ],
    )
    for layer in proposals(model):  # sure to be inside, away from the edges
        layer.out.kernel.assign(0.1 * layer.out.kernel)
    seen, box = crop.predict(ramp, verbose=0)
    for values, (x, y, half) in zip(seen, box):
        # The mask only dims it; the middle is dimmed alike in both channels.
        mask = np.tanh(30 * half / 2) ** 2
        middle = values[3:5, 5:7].mean(axis=(0, 1)) / mask
        close(middle[:2], [x, y], rtol=1e-2, atol=2e-2)


def test_the_first_scale_reads_the_whole_image_in_strides():
    model = network(filters=(4, 4, 8))
    shapes = {
        la.name: la.output.shape[1:3]
        for la in model.layers[1:-1]
        if hasattr(la.output, "shape") and len(la.output.shape) == 4
    }
    assert shapes["scale_1_stage_1_conv"] == (8, 12)
    assert shapes["scale_2_crop"] == shapes["scale_2_stage_1_conv"] == (8, 12)
    last = {name: s for name, s in shapes.items() if "stage_3_relu" in name}
    assert set(last.values()) == {(2, 3)} and len(last) == 3
    finer = network(shrink=1)
    assert finer.get_layer("scale_2_crop").output.shape[1:3] == (16, 24)


def test_arguments_reach_the_layers():
    model = network(
        sharpness=7.0, gradient="boxcar", smallest=0.2, pretraining_steps=6
    )
    for scale in (2, 3):
        crop = model.get_layer(f"scale_{scale}_crop")
        assert (crop.sharpness, crop.gradient) == (7.0, "boxcar")
    for layer in proposals(model):
        assert (layer.units, layer.smallest) == (8, 0.2)
        assert layer.pretraining_steps == 6
        again = AttentionProposal.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()


def test_the_mean_of_the_surroundings_is_subtracted():
    model = network(surroundings=3)
    contrast = model.get_layer("contrast").output
    found = keras.Model(model.input, contrast).predict(IMAGES, verbose=0)
    x = IMAGES / 127.5 - 1
    for row, column in ((0, 0), (7, 11), (15, 3)):
        rows = slice(max(row - 1, 0), row + 2)
        columns = slice(max(column - 1, 0), column + 2)
        near = x[:, rows, columns].mean(axis=(1, 2))
        close(found[:, row, column], x[:, row, column] - near)
    assert model.get_layer("scale_1_stage_1_conv").input is contrast
    for scale in (2, 3):
        assert model.get_layer(f"scale_{scale}_crop").input[0] is contrast


def test_the_answer_joins_normalised_descriptors():
    model = network()
    head = model.get_layer("logits")
    said = keras.Model(model.input, [head.input, head.output])
    descriptors, (logits, scales) = said.predict(IMAGES, verbose=0)
    normalised = [d / np.linalg.norm(d, axis=1)[:, None] for d in descriptors]
    kernel, bias = numpy(head.kernel), numpy(head.bias)
    close(logits, np.concatenate(normalised, 1) @ kernel + bias)
    for place, descriptor in enumerate(descriptors):
        close(
            scales[:, place],
            descriptor @ numpy(head.scale_kernel[place])
            + numpy(head.scale_bias[place]),
        )
    close(model.predict(IMAGES, verbose=0), logits)
    maps = model.get_layer("scale_2_stage_2_relu").output
    found = keras.Model(model.input, maps).predict(IMAGES, verbose=0)
    close(descriptors[1], found.max(axis=(1, 2)))
    assert (relu(found) == found).all()


# What trains what


def test_the_loss_of_a_scale_trains_its_own_network():
    found = moved(network(), of_scale(0))
    assert {name[:7] for name in found} == {"scale_1", "logits"}
    assert "scale_1_proposal" not in found


@pytest.mark.parametrize("gradient", ["bilinear", "boxcar"])
def test_the_loss_of_a_finer_scale_trains_the_proposal_before(gradient):
    found = moved(network(gradient=gradient), of_scale(1))
    first = {name for name in found if name.startswith("scale_1")}
    assert first == {"scale_1_proposal"}
    assert "scale_2_stage_1_conv" in found
    found = moved(network(gradient=gradient), of_scale(2))
    assert {n for n in found if n.endswith("proposal")} == {"scale_2_proposal"}
    assert not {n for n in found if n.startswith("scale_1")}
    assert not {n for n in found if n.startswith("scale_2_stage")}


def test_the_rank_loss_trains_the_finer_scale_and_the_proposal_only():
    def loss(y, output, more):
        return rank_loss(y, more["scales"][:, :2], margin=2.0)

    found = moved(network(), loss)
    assert {n for n in found if n.startswith("scale_1")} == {"scale_1_proposal"}
    assert "scale_2_stage_2_conv" in found
    assert not {n for n in found if n.startswith("scale_3")}


def test_pre_training_trains_the_proposals_only():
    def loss(y, output, more):
        return sum(more["errors"])

    assert moved(network(pretraining_steps=9), loss) == {
        "scale_1_proposal",
        "scale_2_proposal",
    }
    assert moved(network(pretraining_steps=0), loss) == set()
    # Meanwhile nothing else trains them.
    found = moved(network(pretraining_steps=9), of_scale(1))
    assert "scale_2_stage_1_conv" in found and "scale_1_proposal" not in found


def test_pre_training_ends_after_its_steps():
    model = network(pretraining_steps=3)
    squares = []
    for _ in range(5):
        more = model(IMAGES, training=True)["more"]
        squares.append(numpy(more["errors"][0]).max() > 0)
        model(IMAGES), model(IMAGES, training=False)  # no steps
    assert squares == [True] * 3 + [False] * 2
    assert [int(numpy(la.steps)) for la in proposals(model)] == [5, 5]


def test_in_pre_training_the_next_scale_sees_the_square():
    layer = AttentionProposal(5, 1 / 3, pretraining_steps=1)
    features = RNG.normal(size=(6, 3, 4, 2)).astype("float32")
    own = numpy(layer(features)["box"])
    square = numpy(strongest_square(ops.convert_to_tensor(features)))
    found = layer(features, training=True)
    close(found["box"], square)
    close(found["error"], ((own - square) ** 2).sum(axis=-1))
    after = layer(features, training=True)
    close(after["box"], own)
    close(after["error"], np.zeros(6))


def test_a_frozen_proposal_stays_out_of_pre_training():
    layer = AttentionProposal(5, 1 / 3, pretraining_steps=9)
    features = RNG.normal(size=(6, 3, 4, 2)).astype("float32")
    own = numpy(layer(features)["box"])
    layer.trainable = False
    found = layer(features, training=True)
    close(found["box"], own)
    assert int(numpy(layer.steps)) == 0


def test_learns_to_propose_the_strongest_activation():
    features = np.zeros((8, 4, 6, 1), "float32")
    features.reshape(8, 24)[np.arange(8), 3 * np.arange(8)] = 2
    keras.utils.set_random_seed(0)
    given = keras.Input((4, 6, 1))
    layer = AttentionProposal(16, 1 / 3, pretraining_steps=10_000)
    model = NetworkWithOwnLoss(
        given, *layer(given).values(), lambda y, output, more: more
    )
    model.compile(keras.optimizers.Adam(0.02), lambda y, box: 0.0 * box)
    model.fit(features, np.zeros(8), epochs=100, batch_size=8, verbose=0)
    square = strongest_square(ops.convert_to_tensor(features))
    close(model.predict(features, verbose=0), square, atol=0.05)


# Compiled, half precision, kept, exported


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.slow
def test_trains_compiled(jit_compile):
    model = compiled(network(pretraining_steps=2), jit_compile=jit_compile)
    before = [numpy(w).copy() for w in model.trainable_weights]
    log = model.fit(IMAGES, Y, epochs=4, batch_size=4, verbose=0)
    assert np.isfinite(log.history["loss"]).all()
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert np.abs(old - numpy(new)).max() > 0, new.path
    assert [int(numpy(la.steps)) for la in proposals(model)] == [4, 4]


def test_half_precision_keeps_boxes_and_logits_in_full():
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(pretraining_steps=2)
    finally:
        keras.config.set_dtype_policy(with_policy)
    assert model.get_layer("scale_2_stage_1_conv").compute_dtype == "bfloat16"
    for layer in proposals(model):
        assert layer.output[0].dtype == "float32"
        assert layer.output[1].dtype == "float32"
    assert model.output.dtype == "float32"
    log = compiled(model).fit(IMAGES, Y, epochs=3, batch_size=4, verbose=0)
    assert np.isfinite(log.history["loss"]).all()


def test_half_precision_does_not_round_the_parent():
    layer = AttentionProposal(5, dtype="mixed_bfloat16")
    features = RNG.normal(size=(2, 3, 4, 2)).astype("float32")
    parent = np.array([[0.123456, -0.654321, 0.3]] * 2, "float32")
    box = layer(features, parent)["box"]
    close(box, parent * [1, 1, 0.5], rtol=1e-6)


@pytest.mark.slow
def test_is_kept_with_its_steps(tmp_path):
    model = compiled(network(pretraining_steps=50))
    model.fit(IMAGES, Y, epochs=3, batch_size=4, verbose=0)
    keras.Model(model.input, model.output).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    close(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    assert [int(numpy(la.steps)) for la in proposals(loaded)] == [3, 3]


PLAN = {
    "epochs": 4,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}


@pytest.mark.slow
def test_keeps_the_contract_of_a_task(tmp_path):
    recipe = {
        "builder": "ra_cnn",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "filters": [4, 8],
            "proposal_units": 8,
            "pretraining_steps": 6,
            "num_scales": 2,
        },
        "training": PLAN,
    }
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        recipe, ImageInput((16, 16), 3), Label(LABELS)
    )
    data = tiny_data(24)
    task.follow(data, recipe, verbose=0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Image.fromarray(pixels).save(file)
    other = type(data)(data.images, data.labels % 2, ["night", "day"])
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        other,
        one_size=True,
    )


# Errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_scales": 0}, "num_scales=0"),
        ({"input_shape": (None, 16, 3)}, "input_shape=.None, 16, 3"),
        ({"filters": ()}, r"filters=\(\)"),
        ({"filters": (2, 2, 2, 2, 2)}, r"filters=.* for crops of \(8, 8\)"),
        ({"shrink": 0}, "shrink=0"),
        ({"surroundings": 4}, "surroundings=4"),
        ({"surroundings": 1}, "surroundings=1"),
        ({"surroundings": 3.0}, "surroundings=3.0"),
        ({"proposal_units": 0}, "proposal_units=0"),
        ({"smallest": 0}, "smallest=0"),
        ({"smallest": 0.6}, "smallest=0.6"),
        ({"sharpness": 0}, "sharpness=0"),
        ({"gradient": "boxcart"}, "gradient='boxcart'"),
        ({"margin": -0.1}, "margin=-0.1"),
        ({"pretraining_steps": -1}, "pretraining_steps=-1"),
        ({"pretraining_steps": 0.5}, "pretraining_steps=0.5"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": (16, 16, 3), "num_classes": 3, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        ra_cnn(**{**good, **arguments})
