"""A figure is written whole or not at all."""

import numpy as np
import pytest

from keras_attention import pictures

pytest.importorskip("matplotlib")


@pytest.mark.filterwarnings("error")
def test_a_picture_of_any_length_is_written(tmp_path):
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(4))
    figure.set_size_inches(0.5, 600)
    figure.set_layout_engine("none")
    path = pictures.save_figure(figure, tmp_path / "long.png")
    assert path.stat().st_size


def test_a_picture_is_written_whole_and_replaces_the_old(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "looked.png"
    path.write_text("old")
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(2))
    assert pictures.save_figure(figure, str(path)) == path
    with image.open(path) as drawn:
        assert drawn.size[0] > 300
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_on_failure(tmp_path, monkeypatch):
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(2))
    for name in ("looked.doc", "looked", "missing/looked.png"):
        with pytest.raises(ValueError, match="`path` must"):
            pictures.save_figure(figure, tmp_path / name)
    with pytest.raises(ValueError, match="must be a matplotlib figure"):
        pictures.save_figure(np.zeros((8, 8)), tmp_path / "looked.png")

    def half(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    old = tmp_path / "old.png"
    old.write_text("old")
    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        pictures.save_figure(figure, old)
    assert list(tmp_path.iterdir()) == [old] and old.read_text() == "old"
