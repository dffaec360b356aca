"""A number as an output: the contract, and what is its own."""

import dataclasses

import keras
import numpy as np
import pytest
from sklearn import metrics

from tests.zoo.contract import check_output
from zoo.cards import PresetError
from zoo.outputs.number import Number

VALUES = np.array([3.0, 7.0, 7.0, 11.0, 2.0, 12.0])  # mean 7
DEVIATION = (82 / 6) ** 0.5


@dataclasses.dataclass
class Examples:
    values: np.ndarray

    def __len__(self):
        return len(self.values)


def learned(values=VALUES):
    return Number.learn(Examples(np.array(values)), {})


def final(number, standard):
    said = keras.ops.convert_to_tensor(np.float32(standard)[:, None])
    found = number.final(said)
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


def test_keeps_the_contract():
    said = np.random.default_rng(0).normal(size=(6, 1)).astype("float32")
    check_output(learned(), Examples(VALUES), said, ["raw"] * 6, [{}] * 6)


def test_is_learned_in_deviations_and_answered_in_its_own_unit():
    number = learned()
    assert (number.mean, number.deviation) == (7.0, pytest.approx(DEVIATION))
    targets, weights = number.teach(Examples(VALUES))
    assert targets.shape == (6, 1) and targets.dtype == "float32"
    np.testing.assert_allclose(targets[:, 0], (VALUES - 7) / DEVIATION, 1e-6)
    assert weights is None
    np.testing.assert_allclose(
        final(number, targets[:, 0])["value"], VALUES, rtol=1e-6
    )
    tensors = final(number, [0, 1, -2])
    assert tensors["value"].dtype == "float32"
    notes = [{"missing": ["age"]}, {}, {}]
    first, second, third = number.answers(tensors, ["raw"] * 3, notes)
    assert first == {"value": 7.0, "missing": ["age"]}
    assert second == {"value": pytest.approx(7 + DEVIATION)}
    assert third["value"] == pytest.approx(7 - 2 * DEVIATION)


def test_half_precision_ends_at_the_network():
    number = Number(10_000.0, 100.0)
    said = keras.ops.convert_to_tensor(np.array([[0.25]], "float16"))
    assert np.asarray(number.final(said)["value"]).tolist() == [10_025.0]


def test_errors_are_in_the_unit_and_the_loss_in_deviations():
    number = Number(7.0, 2.0)
    said = np.array([4, 7, 6, 13, 2, 12], "float32")
    found = number.measure({"value": said}, Examples(VALUES))
    errors = said - VALUES
    assert list(found) == ["rmse", "mae", "r2", "loss"]
    assert found["rmse"] == pytest.approx((errors**2).mean() ** 0.5)
    assert found["mae"] == pytest.approx(abs(errors).mean())
    assert found["r2"] == pytest.approx(metrics.r2_score(VALUES, said))
    assert found["loss"] == pytest.approx((errors**2).mean() / 4)


def test_the_loss_is_the_one_that_is_trained():
    number = learned()
    standard = np.array([0.5, 0, -1, 2, 1, 1], "float32")
    targets, _ = number.teach(Examples(VALUES))
    found = number.measure(final(number, standard), Examples(VALUES))
    trained = float(number.loss()(targets, standard[:, None]))
    assert found["loss"] == pytest.approx(trained, rel=1e-5)


def test_of_one_example_there_is_no_share_that_is_explained():
    found = Number().measure({"value": np.ones(1)}, Examples(np.ones(1)))
    assert list(found) == ["rmse", "mae", "loss"]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_told_with_its_place(wrong):
    tensors = {"value": np.array([1, wrong, 2], "float32")}
    with pytest.raises(ValueError, match="finite.*value=(nan|inf) at place 1"):
        Number().answers(tensors, ["raw"] * 3, [{}] * 3)
    with pytest.raises(ValueError, match="loss=(nan|inf)"):
        Number().measure(tensors, Examples(np.ones(3)))


@pytest.mark.parametrize("values", [[5.0] * 6, [0.1] * 12, [3.0]])
def test_what_is_the_same_everywhere_cannot_be_learned(values):
    with pytest.raises(ValueError, match=f"the same in every.*{values[0]}"):
        learned(values)


@pytest.mark.parametrize(
    "values, why",
    [
        ([1e200, -1e200], "another unit.*-1e.200 to 1e.200"),
        ([0.0, 1e-320], "another unit"),
        ([0.0, 1e-50], "in 32 bits"),
        ([0.0, 1e50], "in 32 bits"),
        ([1.7e9, 1.7e9 + 9], "subtract a constant.*1700000000.0 to 1700000009"),
    ],
)
def test_what_could_not_be_answered_exactly_is_refused(values, why):
    with pytest.raises(ValueError, match=why):
        learned(values)


def test_large_numbers_are_learned_if_they_vary_enough():
    number = learned([1.7e9, 1.7e9 + 1e6])
    np.testing.assert_allclose(
        final(number, [-1.0, 1.0])["value"], [1.7e9, 1.701e9], atol=5e3
    )


def test_a_copy_keeps_the_unit_and_its_head():
    number, other = learned(), Examples(1000 * VALUES)
    assert number.like(other) is number
    assert number.kept(Number(7.0, number.deviation)) == ("logits",)
    assert number.kept(Number(7.0, 1.0)) == ()
    assert number.kept(Number(0.0, number.deviation)) == ()


@pytest.mark.parametrize(
    "number",
    [
        None,
        [7.0, 1.0],
        {"mean": 7.0},
        {"mean": 7.0, "deviation": 1.0, "more": 1},
        {"mean": "7", "deviation": 1.0},
        {"mean": True, "deviation": 1.0},
        {"mean": float("nan"), "deviation": 1.0},
        {"mean": 10**400, "deviation": 1.0},
        {"mean": 7.0, "deviation": 0},
        {"mean": 7.0, "deviation": -1.0},
        {"mean": 7.0, "deviation": float("inf")},
    ],
)
def test_a_strangers_number_is_checked(number):
    with pytest.raises(PresetError, match="mean and a positive deviation"):
        Number.from_card({}, {"number": number})


def test_is_shown_short():
    answers = [{"value": 1234.567}, {"value": -0.00012345}]
    ((title, columns, rows),) = Number().tables("row", ["a", "b"], answers)
    assert title is None and columns == ("row", "answer")
    assert rows == [("a", "1235"), ("b", "-0.0001234")]
