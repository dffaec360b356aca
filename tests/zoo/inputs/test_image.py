"""An image as an input: the contract, and what is its own."""

import numpy as np
import pytest

from tests.zoo.contract import check_input
from tests.zoo.tiny import tiny_data
from zoo.inputs.image import Image


@pytest.mark.parametrize("size, channels", [((16, 16), 3), ((9, 14), 1)])
def test_keeps_the_contract(size, channels):
    data = tiny_data(6)
    check_input(
        Image(size, channels),
        data,
        list(data.images[:3]),
        [(np.ones((4, 4, 2)), "C being 1, 3 or 4"), ([3], "must be a path")],
    )


def test_takes_its_size_from_the_network_and_says_it_again():
    recipe = {"builder_args": {"input_shape": [9, 14, 1]}}
    image = Image.learn(tiny_data(3), recipe)
    assert image.sizes() == recipe["builder_args"]
    assert image.settings()["image_size"] == [9, 14]  # height comes first
