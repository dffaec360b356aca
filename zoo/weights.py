"""Weights of a network, read from a file that anyone may have written.

A `.keras` file is a zip of three members. Of these only `model.weights.h5` is
read here: numbers. Its `config.json` says which Python to run, and Keras runs
it (its safe mode has had holes); nothing here looks at it.
"""

import contextlib
import dataclasses
import io
import math
import pathlib
import tempfile
import threading
import zipfile

import h5py
import keras
import numpy as np

from zoo.cards import PresetError, shown

MEMBER = "model.weights.h5"
MOST_GROUPS = 100_000
DEEPEST = 50

_building = threading.Lock()
_apart = threading.local()


@dataclasses.dataclass(frozen=True)
class Stored:
    """Numbers that were found in a file, not yet in a network.

    Args:
        data: Bytes of an HDF5 file.
        arrays: Dict from path in it to `(shape, dtype)`.
        layers: Dict from path of a layer in it to the layer's name.
        path: Where they are from, for the errors.
    """

    data: bytes
    arrays: dict
    layers: dict
    path: str

    @property
    def count(self):
        """How many numbers there are."""
        return sum(math.prod(shape) for shape, _ in self.arrays.values())


@contextlib.contextmanager
def dtype_policy(name):
    """Makes models inside the block compute in a dtype policy, or not if None.

    Args:
        name: `"float32"`, `"mixed_bfloat16"`, `"mixed_float16"` or `None`.

    Yields:
        Nothing.
    """
    before = keras.config.dtype_policy()
    try:
        if name is not None:
            keras.config.set_dtype_policy(name)
        yield
    finally:
        keras.config.set_dtype_policy(before)


def read_weights(data, path):
    """Takes the numbers from a `.keras` file.

    Args:
        data: Bytes of the file.
        path: Where they are from, for the errors.

    Returns:
        `Stored`.

    Raises:
        PresetError: If the file is not what Keras writes: a zip whose member
            `model.weights.h5` is stored once and not compressed, an HDF5 file
            that holds arrays of numbers in groups and nothing else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [x for x in archive.infolist() if x.filename == MEMBER]
            if len(found) != 1:
                raise _refused(path, f"{len(found)} members {MEMBER}")
            if found[0].compress_type != zipfile.ZIP_STORED:
                raise _refused(path, f"{MEMBER} compressed")
            weights = archive.read(found[0])
    except (
        zipfile.BadZipFile,
        NotImplementedError,  # of a way to pack or to encrypt
        RuntimeError,
        OSError,
        EOFError,
    ) as error:
        raise _refused(path, f"no such zip ({error})") from error
    return _stored(weights, path)


def build(make, stored):
    """Builds a network that has no more numbers than were stored.

    Args:
        make: Function that builds it.
        stored: `Stored`.

    Returns:
        A `keras.Model`.

    Raises:
        PresetError: If it would have more, before they are allocated; or if it
            cannot be built.
    """
    try:
        with _no_more_than(stored):
            return make()
    except PresetError:
        raise
    except Exception as error:
        raise PresetError(
            "The card's `builder_args` must build a network. "
            f"Received: {stored.path}: {type(error).__name__}: {error}"
        ) from error


def round_to_half(model):
    """Rounds all weights of a network to numbers that float16 holds.

    The network computes in float32 as before; its file takes half the space,
    for `halve` finds that nothing is lost.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: If a weight is too large for float16.
    """
    for variable in model.weights:
        value = keras.ops.convert_to_numpy(variable)
        if value.dtype != "float32":
            continue
        with np.errstate(over="ignore"):
            rounded = value.astype("float16").astype("float32")
        if not np.isfinite(rounded).all():
            raise ValueError(
                "Weights that are rounded to half precision must be below "
                f"65,504. Received: {np.abs(value).max()} in {variable.path}"
            )
        variable.assign(rounded)


def halve(path):
    """Stores the arrays of a `.keras` file in float16, if they are such.

    Args:
        path: `pathlib.Path` of a file that Keras has just written. It stays as
            it is if a number in float32 is none of float16's.

    Returns:
        Boolean. Whether it was done.
    """
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    halved = io.BytesIO()
    with (
        h5py.File(io.BytesIO(members[MEMBER]), "r") as file,
        h5py.File(halved, "w") as copy,
    ):
        if not _copied_in_half(file, copy):
            return False
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, MEMBER: halved.getvalue()}.items():
            archive.writestr(name, data)
    return True


def _copied_in_half(group, copy):
    """Copies a group of HDF5; whether no number lost anything."""
    copy.attrs.update(group.attrs)
    for key, item in group.items():
        if isinstance(item, h5py.Group):
            if not _copied_in_half(item, copy.create_group(key)):
                return False
            continue
        array = item[()]
        if array.dtype == "float32":
            with np.errstate(over="ignore"):
                half = array.astype("float16")
            if not np.array_equal(half.astype("float32"), array):
                return False
            array = half
        copy.create_dataset(key, data=array).attrs.update(item.attrs)
    return True


def load_weights(model, stored):
    """Brings stored numbers into a network, by name and shape.

    Args:
        model: `keras.Model`.
        stored: `Stored`.

    Raises:
        PresetError: If the file has other layers or other shapes than the
            network, or numbers that are not finite.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = pathlib.Path(folder, f"own.{MEMBER}")
        model.save_weights(own)
        _compare(_stored(own.read_bytes(), "the network"), stored)
        given = pathlib.Path(folder, MEMBER)
        given.write_bytes(stored.data)
        try:
            model.load_weights(given)
        except Exception as error:
            raise _refused(stored.path, str(error)) from error
    check_finite(model, stored.path)


def load_file(model, path):
    """Brings the numbers of a file that Keras wrote into a network.

    Args:
        model: `keras.Model`.
        path: Path of a `.weights.h5` or `.keras` file, or of an `.h5` file of
            an earlier Keras, of a network built alike. Only numbers are read.

    Raises:
        ValueError: If there is no such file, it is none of Keras's, or it has
            other arrays than the network, or numbers that are not finite.
    """
    check_file(path)
    data = pathlib.Path(path).read_bytes()
    if zipfile.is_zipfile(io.BytesIO(data)):
        stored = read_weights(data, str(path))
    else:
        stored = _stored(data, str(path))
    old = _is_old(stored)
    with tempfile.TemporaryDirectory() as folder:
        given = pathlib.Path(folder, "given.h5" if old else MEMBER)
        if not old:
            own = pathlib.Path(folder, f"own.{MEMBER}")
            model.save_weights(own)
            _check_alike(_stored(own.read_bytes(), "the network"), stored)
        given.write_bytes(stored.data)
        try:
            model.load_weights(given)
        except Exception as error:  # Keras raises whatever it meets
            raise ValueError(
                f"{_ALIKE} Received: {path}: {type(error).__name__}: {error}"
            ) from error
    check_finite(model, str(path))


def check_file(path):
    """Raises ValueError unless there is a file of that path."""
    if not pathlib.Path(path).is_file():
        raise ValueError(
            "Weights are read from a file: .weights.h5, .keras or .h5. "
            f"Received: {path}, where there is none"
        )


def check_finite(model, path):
    """Refuses a network of which a number is infinite or NaN.

    Args:
        model: `keras.Model`.
        path: Where it is from, for the error.

    Raises:
        PresetError: If there is one.
    """
    for variable in model.weights:
        values = keras.ops.convert_to_numpy(variable)
        if not np.isfinite(values).all():
            raise PresetError(
                "The weights of a model must be finite numbers; those of a "
                "training that diverged are not. Received: "
                f"{variable.path} in {path}"
            )


def _compare(own, stored):
    if own.arrays.keys() != stored.arrays.keys():
        missing = sorted(own.arrays.keys() - stored.arrays.keys())
        more = sorted(stored.arrays.keys() - own.arrays.keys())
        raise PresetError(
            "The file must have the weights of the network that its card "
            f"names, and no others. Received: {stored.path} without "
            f"{shown(missing)}, with {shown(more)}"
        )
    for place, expected in own.arrays.items():
        shape, dtype = expected
        halved = (shape, np.dtype("float16")) if dtype == "float32" else ()
        if stored.arrays[place] not in (expected, halved):
            raise PresetError(
                "Weights must have the shapes of the network that the card "
                f"names. Received: {stored.arrays[place]} in place of "
                f"{expected} at {shown(place)} in {stored.path}"
            )
    for place, name in own.layers.items():
        if stored.layers.get(place) != name:
            raise PresetError(
                "Weights must be those of the layer of the same name. "
                f"Received: {shown(stored.layers.get(place))} in place of "
                f"{name!r} at {shown(place)} in {stored.path}"
            )


_ALIKE = (
    "The file must have the weights of the network, and no others: those that "
    "`save_weights` of the same network writes, without its head."
)


def _check_alike(own, stored):
    """As `_compare`, without names, of which Keras makes up some."""
    given = {
        place: found
        for place, found in stored.arrays.items()
        if not place.startswith("optimizer/")
    }
    for place in sorted(own.arrays.keys() | given.keys()):
        found, expected = given.get(place), own.arrays.get(place)
        if found is None or expected is None or found[0] != expected[0]:
            raise ValueError(
                f"{_ALIKE} Received: {stored.path} with "
                f"{found and found[0]} in place of {expected and expected[0]} "
                f"at {shown(place)}"
            )


def _is_old(stored):
    """Whether a file is laid out by names of layers, as Keras 2 did."""
    with h5py.File(io.BytesIO(stored.data), "r") as file:
        return "model_weights" in file or any(
            name in file.attrs for name in ("layer_names", "layer_names0")
        )


def _stored(data, path):
    arrays, names = {}, {}
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            _walk(file, "", 0, arrays, names, set(), path)
    except PresetError:
        raise
    except Exception as error:  # h5py raises whatever HDF5 says
        raise _refused(path, f"{type(error).__name__}: {error}") from error
    sizes = [
        math.prod(shape) * dtype.itemsize for shape, dtype in arrays.values()
    ]
    if sum(sizes) > len(data):
        raise _refused(path, "arrays that share their bytes")
    layers = {
        place.removesuffix("/vars"): name
        for place, name in names.items()
        if place.count("/") == 2 and place.startswith("layers/")
    }
    with_numbers = {"/".join(place.split("/")[:2]) for place in arrays}
    layers = {k: v for k, v in layers.items() if k in with_numbers}
    return Stored(data, arrays, layers, path)


def _walk(group, place, depth, arrays, names, seen, path):
    if depth > DEEPEST or len(seen) > MOST_GROUPS:
        raise _refused(path, "groups without end")
    name = group.attrs.get("name")
    if isinstance(name, str):
        names[place] = name
    for key in group:
        inner = f"{place}/{key}" if place else key
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise _refused(path, f"a link at {shown(inner)}")
        item = group[key]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            raise _refused(path, f"a second link at {shown(inner)}")
        seen.add(address)
        if isinstance(item, h5py.Group):
            _walk(item, inner, depth + 1, arrays, names, seen, path)
        else:
            _check_array(item, inner, path)
            arrays[inner] = (item.shape, item.dtype)


def _check_array(item, place, path):
    if not isinstance(item, h5py.Dataset):
        raise _refused(path, f"no array at {shown(place)}")
    made = item.id.get_create_plist()
    # Filters need chunks. Keras keeps bfloat16 as two bytes of no type.
    numbers = item.dtype.kind in "fiub" or item.dtype == np.dtype("V2")
    if (
        not numbers
        or item.shape is None
        or made.get_layout() != h5py.h5d.CONTIGUOUS
        or made.get_external_count()
        or item.id.get_storage_size() != item.size * item.dtype.itemsize
    ):
        raise _refused(path, f"no plain array of numbers at {shown(place)}")


@contextlib.contextmanager
def apart():
    """Layers that are made inside are not counted as the network's by `build`.

    For a network of known size of which a part is taken over.

    Yields:
        Nothing.
    """
    before = getattr(_apart, "open", False)
    _apart.open = True
    try:
        yield
    finally:
        _apart.open = before


@contextlib.contextmanager
def _no_more_than(stored):
    """Counts the numbers of layers that this thread builds inside."""
    layer_class, thread = keras.layers.Layer, threading.get_ident()
    add_weight = layer_class.add_weight
    left = stored.count

    def counted(layer, shape=None, *args, **kwargs):
        nonlocal left
        aside = getattr(_apart, "open", False)
        if threading.get_ident() == thread and not aside:
            left -= math.prod(shape or ())
            if left < 0:
                raise PresetError(
                    "The network that the card names must have as many "
                    "numbers as its file holds. Received: more than "
                    f"{stored.count:,} for {stored.path}"
                )
        return add_weight(layer, shape, *args, **kwargs)

    with _building:
        layer_class.add_weight = counted
        try:
            yield
        finally:
            layer_class.add_weight = add_weight


def _refused(path, what):
    return PresetError(
        "A model's weights must be in the file as Keras writes them: arrays "
        f"of numbers in {MEMBER}, not compressed. Received: {path} with {what}"
    )
