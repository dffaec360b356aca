"""A translation as the output of a task, said in pieces of words."""

from zoo.data.pieces import Pieces
from zoo.outputs.words import Words
from zoo.translation_metrics import signature, translation_metrics

GOLDEN = 6  # words of a golden answer


class TranslatedText(Words):
    """A text in another language, said piece by piece.

    As `zoo.outputs.words.Words`, but that its words are pieces, by which every
    word can be said. An answer is a dict: the `translation`, its `words` (they
    are pieces), and its `score`; then what the input notes.

    Args:
        vocabulary: List of distinct pieces, as `zoo.data.pieces` learns them.
        length: Integer of at least 2. The most pieces, the end included.
        beams: As in `Words`.
        length_penalty: As there.
    """

    noun, of, parts = "translation", "text", "pieces"
    kind = Pieces
    roles = ("target_pieces",)

    @staticmethod
    def shared(data, recipe):
        """Both languages' pieces, where a recipe says that they are one."""
        pieces = recipe.get("pieces", {})
        if not pieces.get("shared"):
            return {}
        sizes = {k: v for k, v in pieces.items() if k == "vocabulary_size"}
        return {"others": data.texts, **sizes}

    def compared(self, captions, data):
        """BLEU and its like, beside those of the texts left as they are."""
        return translation_metrics(captions, data.translations, data.texts)

    def golden(self):
        """As of `Words`, the first words alone: the network takes any length,
        and the logits of all would fill more than its weights.
        """
        ids = super().golden()["target_ids"]
        return {"target_ids": ids[:, :GOLDEN]}

    def signatures(self, data):
        """How metrics are computed, as sacrebleu says it, by their names."""
        return signature(data.translations)
