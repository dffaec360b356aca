"""stacked_latent_vqa: its two stacks, its head, padding, errors."""

import keras
import numpy as np
import pytest

from keras_attention import (
    StackedAttention,
    StackedLatentAttention,
    attention_maps,
)
from tests.numbers import close, numpy, randomize
from zoo.visual_question_answering.stacked_latent_vqa import (
    PRESETS,
    stacked_latent_vqa,
)

SHAPE = (16, 24, 3)
STACKS = {"latent": StackedLatentAttention, "plain": StackedAttention}
IDS = np.array(
    [[3, 5, 4, 2, 2, 9], [7, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "int32"
)


def network(length=6, **options):
    model = stacked_latent_vqa(
        SHAPE, 10, 3, length, **PRESETS["tiny"] | options
    )
    randomize(model)
    return model


def asked(ids=IDS):
    generator = np.random.default_rng(0)
    pictures = generator.uniform(0, 255, (len(ids), *SHAPE))
    return {"image": pictures.astype("float32"), "token_ids": ids}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("num_layers", [1, 3])
def test_each_look_is_found(stack, num_layers):
    model = network(stack=stack, num_layers=num_layers)
    assert type(model.get_layer("attention")) is STACKS[stack]
    maps = attention_maps(model, asked())
    assert list(maps) == ["attention"]
    assert maps["attention"].shape == (3, num_layers, 24)
    close(maps["attention"].sum(axis=-1), np.ones((3, num_layers)))


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_reads_the_places_for_the_question(stack):
    model = network(stack=stack)
    inputs = asked()
    names = ("question", "encoder_places", "attention", "hidden")
    parts = keras.Model(
        model.input, [model.get_layer(name).output for name in names]
    )
    question, places, seen, hidden = parts(inputs)
    close(model.get_layer("attention")(question, places), seen)
    kernel, bias = map(numpy, model.get_layer("hidden").weights)
    both = np.concatenate([numpy(seen), numpy(question)], axis=-1)
    close(hidden, np.maximum(both @ kernel + bias, 0))
    kernel, bias = map(numpy, model.get_layer("logits").weights)
    close(model(inputs), numpy(hidden) @ kernel + bias)


def test_stacks_differ_in_nothing_else():
    one, two = (network(stack=stack) for stack in STACKS)
    assert [layer.name for layer in one.layers] == [
        layer.name for layer in two.layers
    ]
    for left, right in zip(one.layers, two.layers):
        if left.name not in ("attention", "hidden"):
            assert [w.shape for w in left.weights] == [
                w.shape for w in right.weights
            ]


@pytest.mark.parametrize("stack", STACKS)
def test_padding_changes_nothing(stack):
    model, longer = network(stack=stack), network(9, stack=stack)
    longer.set_weights(model.get_weights())
    close(longer(asked(np.pad(IDS, ((0, 0), (0, 3))))), model(asked()))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"stack": "deep"}, "stack='deep'"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
        ({"input_shape": (16, 30, 3)}, "input_shape="),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": SHAPE, "vocabulary_size": 10, "num_classes": 2}
    with pytest.raises(ValueError, match=message):
        stacked_latent_vqa(**{**good, **PRESETS["tiny"], **arguments})
