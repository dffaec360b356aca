"""ONNX: what tf2onnx makes of each preset answers in onnxruntime as it does."""

import numpy as np
import pytest

import zoo
from keras_attention import AttentionPooling
from zoo import presets
from zoo.export import parity, saved_model
from zoo.sentence_matching.overlap_features import OverlapFeatures

tf = pytest.importorskip("tensorflow")
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is not installed"
)
convert = pytest.importorskip(
    "tf2onnx.convert", reason="tf2onnx is not installed"
)

REFUSED = {
    "dcn_mnist_cluttered_60": "the gradient inside has operators that tf2onnx "
    "does not know: ShapeN, SoftmaxCrossEntropyWithLogits",
}


def as_where(context, node, name, arguments):
    node.type = "Where"


# By itself tf2onnx writes `where(a, x, y)` as `a * x + (1 - a) * y`, which is
# NaN where the other side is infinite, as scores of a search by beam are.
DECODING = {"SelectV2": (as_where, [])}


@pytest.fixture(autouse=True)
def no_failure_is_passed_over(monkeypatch):
    """Which also saves tf2onnx a copy of the graph at every step."""
    monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "FALSE")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.xfail(
                name in REFUSED,
                reason=REFUSED.get(name, ""),
                raises=ValueError,
                strict=True,
            ),
        )
        for name in presets._folders(presets.CHECKOUT)
    ],
)
def test_each_preset_answers_alike_alone_and_in_company(name):
    task = zoo.load(name)
    # As the SavedModel holds it: writing and reading that takes as long again.
    signatures = saved_model._signatures(task, None, ["from_tensors"], None)
    signature = signatures["from_tensors"]
    _, specs = signature.structured_input_signature
    run = converted(
        lambda inputs: signature(**inputs),
        specs,
        DECODING if task.output.decoding else None,
    )
    inputs = parity._inputs(task, None)
    expected = parity._outputs(task, inputs)
    for part in (slice(None), slice(1)):
        outputs = run(parity._part(inputs, part))
        parity.compare(parity._part(expected, part), outputs)


@pytest.mark.parametrize("queries", [None, 1, 2])
def test_pooling_keeps_its_batch(queries):
    layer = AttentionPooling(4, num_queries=queries)
    words = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")
    mask = np.arange(7) < np.array([[7], [2], [0]])
    check(
        lambda inputs: layer(inputs["words"], mask=inputs["mask"]),
        {"words": words, "mask": mask},
    )


def test_features_of_overlap_have_operators_of_onnx():
    layer = OverlapFeatures(9)
    ids = np.random.default_rng(0).integers(0, 12, (2, 3, 7)).astype("int32")
    check(
        lambda inputs: layer(inputs["left"], inputs["right"]),
        {"left": ids[0], "right": ids[1]},
    )


def check(function, inputs):
    expected = function(inputs).numpy()  # which builds the layer
    specs = {
        name: tf.TensorSpec((None, *array.shape[1:]), array.dtype, name=name)
        for name, array in inputs.items()
    }
    run = converted(lambda inputs: {"answer": function(inputs)}, specs)
    for part in (slice(None), slice(1)):
        outputs = run({name: array[part] for name, array in inputs.items()})
        np.testing.assert_allclose(
            outputs["answer"], expected[part], rtol=0, atol=1e-6
        )


def converted(function, specs, handlers=None):
    """A function from dict to dict of tensors, as onnxruntime runs it."""
    names = []

    def flat(*tensors):
        outputs = function(dict(zip(specs, tensors)))
        names[:] = outputs
        return list(outputs.values())

    model, _ = convert.from_function(
        tf.function(flat),
        list(specs.values()),
        opset=17,
        custom_op_handlers=handlers,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda inputs: dict(zip(names, session.run(None, inputs)))
