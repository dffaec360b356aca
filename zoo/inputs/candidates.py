"""A question and its candidate answers as the input of a task."""

from zoo.data.pairs import read_lines
from zoo.data.texts import one_line, text_from_shell
from zoo.inputs import word_notes
from zoo.inputs.text_pair import TextPair


class Candidates(TextPair):
    """A question and its candidates, a tuple `(question, [candidate, ...])`.

    Several are a list of tuples. To the network each candidate is a pair of
    its own, left the candidate, right the question; so is what an export takes.

    The arguments are those of `TextPair`.
    """

    noun = "question"
    asked = "--question TEXT --candidates FILE"
    columns_asked = ("question", "candidate")

    def several(self, raw):
        several = isinstance(raw, list)
        raws = raw if several else [raw]
        for place, each in enumerate(raws):
            if (
                not isinstance(each, tuple)
                or len(each) != 2
                or not isinstance(each[0], str)
                or not isinstance(each[1], (list, tuple))
                or not all(isinstance(text, str) for text in each[1])
            ):
                raise ValueError(
                    "A question must be a tuple of a string and a list of "
                    "strings, its candidates; several are a list of tuples. "
                    f"Received: {repr(each)[:60]} at place {place}"
                )
            question, candidates = each
            if not candidates:
                raise ValueError(
                    "A question must have a candidate at least. "
                    f"Received: none for {question[:50]!r} at place {place}"
                )
            self.check_words([question], place, ["question"])
            for number, candidate in enumerate(candidates):
                self.check_words([candidate], number, ["candidate"])
        return several, raws

    def arrays(self, raws):
        return super().arrays(_pairs(raws))

    def notes(self, raws, maps):
        return super().notes(_pairs(raws), maps)

    def requests(self, arrays):
        columns, pairs = super().requests(arrays)
        return columns, [(right, [left]) for left, right in pairs]

    def from_shell(self, words, options):
        if (options.keys() != {"question", "candidates"} and options) or (
            bool(words) == bool(options)
        ):
            shown = ", ".join(
                f"{name}={options.get(name)!r}"
                for name in ("question", "candidates")
            )
            raise ValueError(
                "Give either arguments or both --question and --candidates. "
                f"Received: {len(words)} arguments, {shown}"
            )
        if options:
            return [(options["question"], read_lines(options["candidates"]))]
        question, *candidates = map(text_from_shell, words)
        return [(question, candidates)]

    def to_shell(self, raw):
        """`None`: data hold pairs, and the candidates are asked in a file."""

    def from_table(self, columns, folder, where):
        """Each question once, with all of its candidates."""
        word_notes.check_cells(columns, where)
        found = {}
        for question, candidate in zip(
            columns["question"], columns["candidate"]
        ):
            found.setdefault(question, []).append(candidate)
        return list(found.items())

    def shown(self, raw, note):
        question, _ = raw
        return one_line(question) + word_notes.unread(
            note["cut"][1], note["unknown"][1]
        )


def _pairs(raws):
    """`(candidate, question)` of each."""
    return [
        (candidate, question)
        for question, candidates in raws
        for candidate in candidates
    ]
