"""Translation: a text in, the same in another language out."""

import numpy as np

from zoo.data.pieces import normal
from zoo.data.translations import load_translations
from zoo.inputs.pieced_text import PiecedText
from zoo.outputs.translated_text import TranslatedText
from zoo.scores import Score
from zoo.task import Task
from zoo.teaching import taught
from zoo.translation.alignment import letters_found
from zoo.translation.picture import alignment_figure


class Translation(Task):
    """Answers with a translation: `predict("Ein Hund rennt.")["translation"]`.

    What a raw input is says `zoo.inputs.pieced_text.PiecedText`; what an answer
    is says `zoo.outputs.translated_text.TranslatedText`. The arguments are
    those of `zoo.task.Task`.
    """

    name = "translation"
    input, output = PiecedText, TranslatedText
    read = staticmethod(load_translations)

    def measured(self, outputs, data):
        """The metrics of translations; and where it looks, if data know it.

        `alignment` is the share of pieces, of those that come from some part of
        the text, at which the heaviest place is in that part, the right pieces
        before it being told, and `chance` that of a place drawn at random.
        """
        losses, maps = taught(self, data)
        found = self.output.measure({**outputs, "losses": losses}, data)
        if maps is None or data.truth is None:
            return found
        loss = found.pop("loss")
        hits, chance, places = self._letters(maps, data)
        by_chance = Score.mean(chance, places)
        found["alignment"] = Score.mean(hits, places, baseline=float(by_chance))
        found["chance"] = by_chance
        return {**found, "loss": loss}

    def _letters(self, maps, data):
        firsts = np.cumsum([0, *map(len, data.translations[:-1])])
        texts = [
            (normal(text), normal(said[0]))
            for text, said in zip(data.texts, data.translations)
        ]
        return letters_found(
            maps[firsts],
            data.truth["spans"],
            *(self.input.pieces, self.output.said, texts),
        )

    def count(self, metric, data):
        """How many translations the loss is of, pieces `alignment`, else texts.

        Pieces are counted without a network: what they look at is nothing here.
        """
        if metric == "loss":
            return sum(map(len, data.translations))
        if metric in ("alignment", "chance"):
            shape = (
                len(data),
                self.output.said.length,
                self.input.pieces.length,
            )
            return len(self._letters(np.zeros(shape, "bool"), data)[0])
        return super().count(metric, data)

    def picture(self, raws, answers):
        return alignment_figure(answers)
