"""Every test starts from one seed; products of matrices are exact."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import pytest  # noqa: E402

pytest.register_assert_rewrite("tests.contract")


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


def pytest_collection_modifyitems(items):
    """The reload in a fresh process comes after all that saves."""
    items.sort(key=lambda item: item.path.name == "test_reload.py")


@pytest.fixture(autouse=True)
def one_start():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
