"""Every test starts from one seed; products of matrices are exact."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import pytest  # noqa: E402

from tests.slow import slow_part, without_other_parts  # noqa: E402

pytest.register_assert_rewrite(
    "tests.contract", "tests.reloading", "tests.zoo.contract"
)


def pytest_addoption(parser):
    parser.addoption(
        "--slow-part",
        type=slow_part,
        default=(1, 1),
        metavar="K/N",
        help="of the tests marked slow, run the K-th of N parts only",
    )


def pytest_collection_modifyitems(config, items):
    kept, left_out = without_other_parts(items, *config.getoption("slow_part"))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_configure(config):
    """An accelerator shortens float32 in products unless told otherwise."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        import torch

        torch.set_float32_matmul_precision("highest")


@pytest.fixture(scope="session", autouse=True)
def what_was_saved_loads_elsewhere(tmp_path_factory):
    """At the end of each process, one more loads what its contracts saved."""
    yield
    from tests.reloading import check_saved

    check_saved(tmp_path_factory.mktemp("reload"))


@pytest.fixture(autouse=True)
def one_start():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
