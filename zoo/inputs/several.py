"""Several inputs as one, such as an image and a question about it."""

import collections
import contextlib
import dataclasses
import itertools

import numpy as np

from zoo.data.examples import at


class Several:
    """Several inputs by name, such as an image and a question about it.

    A raw input is a dict with a raw input for each name; several are a list of
    dicts. `of` makes the class that a task has as its `input`:

    >>> from zoo.inputs.image import Image
    >>> from zoo.inputs.text import Text
    >>> PictureAndQuestion = Several.of(image=Image, question=Text)
    >>> PictureAndQuestion.roles
    ('vocabulary',)

    What the inputs have names for, such as tensors, files, assets, arguments of
    the network's builder and of an export, keeps its name where only one of
    them has it, else the input's name comes before it:

    >>> Several.of(title=Text, body=Text).roles
    ('title_vocabulary', 'body_vocabulary')

    Each learns from its own share of the data, whose `raws` are a dict of
    arrays or lists by the inputs' names. Its part of the recipe is the recipe
    itself, in which `recipe["inputs"][name]` may say otherwise. Augmentation is
    for those that take it. The settings on a card, and what an answer notes,
    are dicts by name. Attention maps are noted with the input whose name and
    `_` their layer's name begins with (the longest such name), the rest being
    the map's name.

    In a shell the first input is given by arguments and each other one by an
    option of its name, for all of them.

    Args:
        **parts: An input for each name, those of the class.
    """

    kinds = {}  # name -> class of an input
    noun = asked = None
    columns_asked = suffixes = roles = flags = ()
    choices = {}

    def __init__(self, **parts):
        self.parts = parts

    @classmethod
    def of(cls, **kinds):
        """The class for some inputs.

        Args:
            **kinds: The class of an input for each name, two at least.

        Returns:
            A subclass.

        Raises:
            ValueError: If there are fewer than two, or names cannot be kept
                apart.
        """
        if len(kinds) < 2:
            raise ValueError(
                "Several inputs must be two at least; one is an input itself. "
                f"Received: {list(kinds)}"
            )
        (_, first), *others = kinds.items()
        asked = [
            first.asked,
            *(f"--{name} {each.asked.rstrip('.')}" for name, each in others),
        ]
        roles = _distinct({name: kind.roles for name, kind in kinds.items()})
        every = (flag for kind in kinds.values() for flag in kind.flags)
        members = {
            "__doc__": cls.__doc__,
            "kinds": kinds,
            "noun": " and ".join(kinds),
            "asked": " ".join(asked),
            "columns_asked": tuple(kinds),
            "suffixes": first.suffixes,
            "roles": tuple(
                role for own in roles.values() for role in own.values()
            ),
            "flags": tuple(dict.fromkeys(every)),
            # What two inputs have cannot be chosen for one of them.
            "choices": {
                name: place
                for kind in kinds.values()
                for name, place in kind.choices.items()
                if sum(name in each.choices for each in kinds.values()) == 1
            },
        }
        return type(cls.__name__, (cls,), members)

    @classmethod
    def learn(cls, data, recipe):
        own = recipe.get("inputs", {})
        return cls(
            **{
                name: kind.learn(_share(data, name), recipe | own.get(name, {}))
                for name, kind in cls.kinds.items()
            }
        )

    @classmethod
    def from_card(cls, settings, assets):
        roles = _distinct(
            {name: kind.roles for name, kind in cls.kinds.items()}
        )
        return cls(
            **{
                name: kind.from_card(
                    settings[name],
                    {own: assets[role] for own, role in roles[name].items()},
                )
                for name, kind in cls.kinds.items()
            }
        )

    def like(self, data, vocabulary=None):
        """The same for a copy that learns from `data`, and what to say of it.

        Each that has words learns from its own share of the data.
        """
        found = {
            name: part.like(_share(data, name), vocabulary)
            for name, part in self.parts.items()
            if hasattr(part, "like")
        }
        parts = {name: part for name, (part, _) in found.items()}
        said = [f"{name}: {text}" for name, (_, text) in found.items() if text]
        if all(self.parts[name] is part for name, part in parts.items()):
            return self, "\n".join(said)
        return type(self)(**{**self.parts, **parts}), "\n".join(said)

    def rows(self, before):
        """Of layers with a row for each id: where each was with `before`."""
        return {
            layer: rows
            for name, part in self.parts.items()
            if hasattr(part, "rows")
            for layer, rows in part.rows(before.parts[name]).items()
        }

    def resized(self, size):
        """The same, its images brought to another size; `None` if none are."""
        images = {
            name: part.resized(size)
            for name, part in self.parts.items()
            if hasattr(part, "resized")
        }
        return type(self)(**{**self.parts, **images}) if images else None

    def settings(self):
        return self._each("settings")

    def assets(self):
        return _merged(self._each("assets"))

    def sizes(self):
        return _merged(self._each("sizes"))

    def tensors(self):
        return _merged(self._each("tensors"))

    def several(self, raw):
        several = isinstance(raw, (list, tuple))
        raws = raw if several else [raw]
        for place, each in enumerate(raws):
            if not isinstance(each, dict) or set(each) != set(self.parts):
                names = ", ".join(f"`{name}`" for name in self.parts)
                raise ValueError(
                    f"An input must be a dict of {names}; several are a list "
                    f"of dicts. Received: {repr(each)[:60]} at place {place}"
                )
        for name, part in self.parts.items():
            with _of(name):
                part.several([each[name] for each in raws])
        return several, raws

    def arrays(self, raws):
        arrays = {}
        for name, part in self.parts.items():
            with _of(name):
                arrays[name] = part.arrays([raw[name] for raw in raws])
        return _merged(arrays)

    def reader(self, data, augment=(), seed=0):
        taken = {
            name: [each for each in augment if each in _augmentation(part)]
            for name, part in self.parts.items()
        }
        known = set().union(*map(_augmentation, self.parts.values()))
        if not known.issuperset(augment):
            raise ValueError(
                f"`augment` must name what an input takes: {sorted(known)}. "
                f"Received: augment={list(augment)!r}"
            )
        reads = {}
        for name, part in self.parts.items():
            with _of(name):
                reads[name] = part.reader(_share(data, name), taken[name], seed)
        return lambda *place: _merged(
            {name: read(*place) for name, read in reads.items()}
        )

    def notes(self, raws, maps):
        notes = [{} for _ in raws]
        owned = {name: {} for name in self.parts}
        for key, weights in maps.items():
            # Of `body` and `body_text`, the longer: the name says more.
            names = [name for name in self.parts if key.startswith(f"{name}_")]
            if names:
                name = max(names, key=len)
                owned[name][key.removeprefix(f"{name}_")] = weights
        for name, part in self.parts.items():
            found = part.notes([raw[name] for raw in raws], owned[name])
            for note, more in zip(notes, found, strict=True):
                if more:
                    note[name] = more
        return notes

    def start(self, model):
        for part in self.parts.values():
            part.start(model)

    def golden(self):
        return _merged(self._each("golden"))

    def extremes(self):
        """Each extreme of one input with each of the others."""
        extremes = self._each("extremes")
        counts = [len(next(iter(each.values()))) for each in extremes.values()]
        places = np.array(list(itertools.product(*map(range, counts))))
        return _merged(
            {
                name: {key: array[chosen] for key, array in each.items()}
                for (name, each), chosen in zip(extremes.items(), places.T)
            }
        )

    def served(self):
        return _merged(self._each("served"))

    def requests(self, arrays):
        """The hard inputs of each, those of which there are fewer repeated."""
        names = _distinct(self._each("tensors"))
        asked = {
            name: part.requests(
                {own: arrays[key] for own, key in names[name].items()}
            )
            for name, part in self.parts.items()
        }
        count = max(len(raws) for _, raws in asked.values())
        columns = {
            name: {
                key: at(column, np.arange(count) % len(column))
                for key, column in columns.items()
            }
            for name, (columns, _) in asked.items()
        }
        raws = []
        for place in range(count):
            raw = {
                name: own[place % len(own)] for name, (_, own) in asked.items()
            }
            valid = all(each is not None for each in raw.values())
            raws.append(raw if valid else None)
        return _merged(columns), raws

    def tensorflow(self):
        import tensorflow as tf

        parts = self._each("tensorflow")
        names = _distinct(self._each("served"))

        class Reading(tf.Module):
            def __init__(self):
                self.parts = parts

            def __call__(self, **columns):
                tensors, flags = {}, {}
                for name, part in self.parts.items():
                    own = {
                        key: columns[served]
                        for key, served in names[name].items()
                    }
                    tensors[name], valid = part(**own)
                    for flag, value in valid.items():
                        # One that all have is true if it is for each.
                        before = flags.get(flag, True)
                        flags[flag] = tf.logical_and(value, before)
                return _merged(tensors), flags

        return Reading()

    def files(self):
        return _merged(self._each("files"))

    def from_shell(self, words, options):
        (first, part), *others = self.parts.items()
        wanted = {name for name, _ in others}
        if not words or options.keys() != wanted:
            raise ValueError(
                f"There must be {self.asked}. Received: {len(words)} "
                f"arguments, options {sorted(options)}"
            )
        rest = {}
        for name, other in others:
            with _of(name):
                (rest[name],) = other.from_shell([options[name]], {})
        with _of(first):
            raws = part.from_shell(words, {})
        return [{first: raw, **rest} for raw in raws]

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        (first, part), *others = self.parts.items()
        words = part.to_shell(raw[first])
        for name, other in others:
            said = other.to_shell(raw[name])
            if words is None or said is None:
                return None
            words = [*words, f"--{name}", *said]
        return words

    def from_table(self, columns, folder, where):
        """Each input from the column of its name."""
        found = {}
        for name, part in self.parts.items():
            (own,) = part.columns_asked
            with _of(name):
                found[name] = part.from_table(
                    {own: columns[name]}, folder, where
                )
        return [dict(zip(found, row)) for row in zip(*found.values())]

    def shown(self, raw, note):
        return "\n".join(
            part.shown(raw[name], note.get(name, {}))
            for name, part in self.parts.items()
        )

    def _each(self, method):
        return {
            name: getattr(part, method)() for name, part in self.parts.items()
        }


@dataclasses.dataclass
class _Share:
    """What one of several inputs sees of the data."""

    raws: np.ndarray | list
    name: str
    split: str

    def __len__(self):
        return len(self.raws)


def _share(data, name):
    return _Share(data.raws[name], data.name, data.split)


def _augmentation(part):
    """Names of the augmentation that an input takes."""
    return getattr(part, "augmentation", ())


def _distinct(own):
    """Names that are different, for those that each input has.

    Args:
        own: Dict from input to names.

    Returns:
        Dict from input to a dict, from its own names to different ones.

    Raises:
        ValueError: If that cannot be.
    """
    count = collections.Counter(itertools.chain.from_iterable(own.values()))
    names = {
        name: {key: key if count[key] == 1 else f"{name}_{key}" for key in keys}
        for name, keys in own.items()
    }
    made = [key for each in names.values() for key in each.values()]
    if len(set(made)) < len(made):
        raise ValueError(
            "The names of several inputs must not make two names the same. "
            f"Received: {list(own)}, which make {made}"
        )
    return names


def _merged(own):
    """The dicts of several inputs as one, its names different."""
    names = _distinct(own)
    return {
        names[name][key]: value
        for name, each in own.items()
        for key, value in each.items()
    }


@contextlib.contextmanager
def _of(name):
    """Says of an error which input it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In `{name}`: {error}") from error
