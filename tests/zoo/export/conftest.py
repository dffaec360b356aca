"""One task and one export of it, which serve all tests of the exports."""

import keras
import pytest

import zoo.export
from tests.zoo.export.exported import stirred_task


@pytest.fixture(scope="session")
def task():
    """No test may change it."""
    keras.utils.set_random_seed(0)
    return stirred_task()


@pytest.fixture(scope="session")
def kept(task, tmp_path_factory):
    """The folders of the task and of its export."""
    folder = tmp_path_factory.mktemp("kept")
    task.save(folder / "task")
    return folder / "task", folder / "export"


@pytest.fixture(scope="session")
def reports(task, kept):
    return zoo.export.export(task, kept[1], ("saved_model", "litert"))
