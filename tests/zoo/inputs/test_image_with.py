"""An image with more: what joins is tested in `test_several.py`."""

from zoo.inputs.image import Image
from zoo.inputs.image_with import ImageWithBoxes, ImageWithQuestion, StillImage


def test_an_image_whose_boxes_must_stay_where_they_are_is_not_moved():
    moving = {"flip", "shift", "rotate", "zoom"}
    assert not moving & {*StillImage.augmentation}
    assert {*StillImage.augmentation} == {*Image.augmentation} - moving


def test_what_is_asked_about_has_these_names():
    assert ImageWithBoxes.columns_asked == ("image", "boxes")
    assert ImageWithQuestion.columns_asked == ("image", "question")
