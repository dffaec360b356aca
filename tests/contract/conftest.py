"""The layers of these tests are not loaded in a fresh process."""

import pytest

from tests import contract


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_reload(monkeypatch):
    monkeypatch.setattr(contract.lifecycle, "SAVED", [])
