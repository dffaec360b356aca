"""What the tests of commands share."""

import pytest

from zoo import presets


@pytest.fixture
def home(shelf, tmp_path, monkeypatch):
    """Only the module's `shelf` is at hand; commands write to a new folder."""
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(shelf))
    monkeypatch.delenv("KERAS_ATTENTION_ZOO_URL", raising=False)
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    return shelf
