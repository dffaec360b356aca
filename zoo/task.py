"""Task: what comes in, a network, and what goes out."""

import keras
import numpy as np

from zoo import describing, learning, measuring, reports, saving
from zoo.answering import Answering
from zoo.data.examples import at


class Task:
    """A trained model with all that it needs to answer.

    A kind of task says what comes in, what goes out, how its data are found,
    and how an answer is drawn; `CONTRIBUTING.md` says how to add one.

    Args:
        model: `keras.Model`, the network.
        card: Dict, the model's card (`saved_models/README.md` has its keys).
        input: An instance of the class's `input`.
        output: An instance of the class's `output`.
    """

    name = None  # its key in `zoo.catalogue`
    input = output = None  # classes of `zoo.inputs` and `zoo.outputs`
    read = None  # function: data of any kind, `"train"` or `"test"` -> examples
    formats = ("saved_model", "litert")

    def __init__(self, model, card, input, output):
        self.model = model
        self.card = card
        self.input = input
        self.output = output
        self.training = {}  # options of `fit` where it is told no others
        self.graphs = {}  # of this network; built when first asked for

    __repr__ = describing.in_short
    summary = describing.summary
    history = property(describing.history)

    @classmethod
    def learn(cls, data, recipe):
        """The input and the output of a new model, from its training data.

        Args:
            data: As `read` gives them.
            recipe: Dict, as those in `zoo.recipes.RECIPES`.

        Returns:
            `(input, output)`.
        """
        return cls.input.learn(data, recipe), cls.output.learn(data, recipe)

    @classmethod
    def untrained(cls, recipe, input, output, dtype=None):
        """Builds the model of a recipe, its weights drawn at random.

        Args:
            recipe: Dict with `builder`, a name, and `builder_args`.
            input: As `learn` gives it.
            output: As `learn` gives it.
            dtype: Name of a dtype policy, `None` for Keras's global one.

        Returns:
            A task.
        """
        card = {
            "task": cls.name,
            "builder": recipe["builder"],
            "builder_args": recipe["builder_args"]
            | output.sizes()
            | input.sizes(),
            "preprocessing": input.settings(),
        }
        if output.settings():
            card["postprocessing"] = output.settings()
        task = cls(saving.build(card, dtype), card, input, output)
        saving.check_inputs(task.model, input, output)
        input.start(task.model)
        return task

    @property
    def assets(self):
        """What the answer needs beside the weights, a dict by role."""
        return self.output.assets() | self.input.assets()

    # Raw in, answer out.

    def predict(self, raw, batch_size=32):
        """Answers.

        Args:
            raw: One raw input, or a list or batch of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            A dict for one, a list of dicts for several.
        """
        return self._asked(raw, False, batch_size)

    def look(self, raw, batch_size=32):
        """Answers, and says where the model looked.

        Args:
            raw: One raw input, or a list or batch of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            As `predict`, each dict with `"attention"` as well: a dict from
            `"layer"`, or `"layer/part"`, to the weights for this input, as
            `keras_attention.attention_maps` gives them; and with what the input
            says of them, such as `"words"`.

        Raises:
            ValueError: If the model has no attention layer.
        """
        self.check_attention()
        return self._asked(raw, True, batch_size)

    def has_attention(self):
        """Whether the model has attention to look at."""
        try:
            self.check_attention()
        except ValueError:
            return False
        return True

    def check_attention(self):
        """Raises ValueError unless the model has attention to look at."""
        try:
            self.graph(True)
        except ValueError as error:
            raise ValueError(
                "`look` needs a model with an attention layer whose weights "
                "can be shown, unlike a plain network or `abcnn` with "
                'variant="bcnn"; `predict` works without one. '
                f"Received: name={self.card.get('name')!r}, "
                f"builder={self.card['builder']!r}"
            ) from error

    def graph(self, attention=False):
        """Everything between the input's tensors and the answer, as a model.

        Args:
            attention: Boolean. Whether to give the attention maps too.

        Returns:
            `keras.Model` with one layer, `zoo.answering.Answering`.
        """
        if attention not in self.graphs:
            inputs = {
                name: keras.Input(shape, dtype=dtype, name=name)
                for name, (shape, dtype) in self.input.tensors().items()
            }
            layer = Answering(self.model, self.output, attention)
            self.graphs[attention] = keras.Model(inputs, layer(inputs))
        return self.graphs[attention]

    def _asked(self, raw, attention, batch_size):
        several, raws = self.input.several(raw)
        # Masks not all at once: their tensors are far larger than answers.
        few = hasattr(self.output, "condense")
        step = batch_size if few else max(len(raws), 1)
        answers = []
        for start in range(0, len(raws), step):
            some = raws[start : start + step]
            answers += self._answers(some, attention, batch_size)
        return answers if several else answers[0]

    def _answers(self, raws, attention, batch_size):
        arrays = self.input.arrays(raws)
        count = len(next(iter(arrays.values())))
        outputs, maps = self.run(
            lambda indices, epoch, place: at(arrays, indices),
            count,
            batch_size,
            attention,
        )
        notes = self.input.notes(raws, maps)
        if attention:
            for index, note in enumerate(notes):
                note["attention"] = {name: maps[name][index] for name in maps}
        return self.output.answers(outputs, raws, notes)

    def run(
        self, read, count, batch_size, attention=False, verbose=0, keep=None
    ):
        """What `graph` gives for all, `read` as in `zoo.data.examples`.

        `keep(outputs, indices)` is what is kept of a batch; `None`: all.
        """
        graph, parts = self.graph(attention), []
        starts = range(0, count, batch_size)
        progress = keras.utils.Progbar(len(starts), verbose=verbose)
        # One by one, since `predict` casts what it is given to `floatx`.
        for place, start in enumerate(starts):
            indices = np.arange(start, min(start + batch_size, count))
            outputs, maps = graph.predict_on_batch(read(indices, 0, place))
            if keep is not None:
                outputs = keep(outputs, indices)
            parts.append((outputs, maps))
            progress.update(place + 1)
        return keras.tree.map_structure(lambda *x: np.concatenate(x), *parts)

    # Learning and measuring.

    def evaluate(self, data=None, batch_size=250, verbose=0):
        """Measures the model.

        Args:
            data: What `read` takes; `None` is the test part of the data that
                the model was trained on, by the card.
            batch_size: Positive integer. How many are computed at once; of
                large masks fewer.
            verbose: 1 or `"auto"` for a progress bar, 0 for none.

        Returns:
            Dict from metric to float, the card's first.

        Raises:
            ValueError: If the loss is not finite.
        """
        data = measuring.to_measure(self, data)
        found = self.measured(*self.said(data, batch_size, verbose))
        return {metric: float(value) for metric, value in found.items()}

    report = reports.report

    said = measuring.said

    def measured(self, outputs, data):
        """The metrics of what `said` gave: a dict of `zoo.scores.Score`."""
        return self.output.measure(outputs, data)

    def count(self, metric, data):
        """How many a metric is of: examples, or what the output counts."""
        return len(data) if metric == "loss" else self.output.count(data)

    def measure(self, test):
        """Evaluates, and notes on the card what was reached on which data.

        Args:
            test: Data as `read` gives them.

        Returns:
            As `evaluate`.
        """
        results = self.evaluate(test)
        measuring.note(self, results, test)
        return results

    finetune = learning.finetune
    fit = learning.fit
    follow = learning.follow
    rebuilt = learning.rebuilt

    # Kept and served.

    save = saving.save

    def export(self, folder, formats=None):
        """Exports the model, and verifies that it gives the same answers.

        Args:
            folder: Path. Each format gets its place in it.
            formats: Names among `"saved_model"` and `"litert"`; both if None.

        Returns:
            Dict from format to what was written and measured, noted on the
            card too.

        Raises:
            ValueError: If a format is unknown.
            ImportError: If the tools of a format are not installed.
        """
        from zoo import export

        reports = export.export(self, folder, formats or self.formats)
        self.card["exports"] = {
            name: {key: value for key, value in report.items() if key != "path"}
            for name, report in reports.items()
        }
        return reports

    # Shown.

    def picture(self, raws, answers):
        """A `matplotlib.figure.Figure` of what `look` answered."""
        raise NotImplementedError

    def page(self, answers):
        """The same for the terminal, as rich prints it, or `None`."""
        return None

    def html(self, answers):
        """The same as a page of HTML, a string, or `None`."""
        return None
