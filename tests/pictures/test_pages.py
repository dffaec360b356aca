"""A page of texts: what is chosen is what is shown, and texts stay texts."""

import html.parser
import re

import numpy as np
import pytest

from keras_attention import pictures

WORDS = ["the", "red", "star"]
HEADS = np.array(
    [
        [[0.2, 0.8, 0.0], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]],
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
    ]
)
LONG = {"words": WORDS * 3, "readers": ["a", "b"]}


class Views(html.parser.HTMLParser):
    """Class of a view -> pairs of a word and what is said of it; and legends.

    And each button's words, by the radio button that it is for.
    """

    void = {"meta", "input"}

    def __init__(self, page):
        super().__init__()
        self.words, self.legends, self.labels = {}, {}, {}
        self.ids, self.checked, self.open = [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "input":
            assert attrs["type"] == "radio"
            self.ids.append(attrs["id"])
            if "checked" in attrs:
                self.checked.append(attrs["id"])
        if tag not in self.void:
            self.open.append((tag, attrs))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attrs = self.open[-1] if self.open else ("", {})
        views = [
            a["class"].split()[1]
            for _, a in self.open
            if a.get("class", "").startswith("view ")
        ]
        if tag == "span" and "title" in attrs:
            color = attrs["style"].removeprefix("background:")
            word = data, color, float(attrs["title"])
            self.words.setdefault(views[0], []).append(word)
        elif tag == "label":
            self.labels[attrs["for"]] = data
        elif attrs.get("class") == "legend":
            self.legends[views[0]] = self.legends.get(views[0], "") + data


def rule(page, view):
    """What must be chosen for a view to be shown."""
    found = re.findall(rf"([^,\n]*)~\.{view}[,{{]", page)
    assert len(found) == 1
    return found[0].split("~")


def test_each_head_and_reader_has_a_view_of_its_weights():
    page = pictures.text_page([{"words": WORDS, "weights": HEADS}])
    views = Views(page)
    assert list(views.labels.values()) == [
        "head 1",
        "head 2",
        "all, their mean",
        *WORDS,
    ]
    assert len(views.words) == 2 * (1 + 3)
    for head in range(2):
        for reader in range(3):
            name = f"t0v{head}r{reader + 1}"
            shown = views.words[name]
            assert [word for word, _, _ in shown] == WORDS
            weights = [weight for *_, weight in shown]
            np.testing.assert_allclose(weights, HEADS[head, reader], rtol=1e-2)
            assert rule(page, name) == [
                f"#t0v{head}:checked",
                f"#t0r{reader + 1}:checked",
            ]
        mean = [weight for *_, weight in views.words[f"t0v{head}r0"]]
        np.testing.assert_allclose(mean, HEADS[head].mean(0), rtol=1e-2)
    assert views.checked == ["t0v0", "t0r0"]
    assert set(views.labels) == set(views.ids)


def test_all_heads_share_a_range_and_so_do_their_means():
    views = Views(pictures.text_page([{"words": WORDS, "weights": HEADS}]))
    ends = {name: legend for name, legend in views.legends.items()}
    single = {end for name, end in ends.items() if not name.endswith("r0")}
    means = {end for name, end in ends.items() if name.endswith("r0")}
    assert single == {"weight 0.01.0"} and means == {"weight 0.000.47"}
    colors = {word: color for word, color, _ in views.words["t0v0r1"]}
    assert colors["star"] == "#ffffff"
    strength = 0.8  # of head 1, whose sibling has 1.0
    assert int(colors["red"][5:], 16) == round(255 * (1 - strength))
    assert views.words["t0v1r1"][2][1] == "#ffb000"


def test_one_weight_for_each_word_needs_no_reader():
    text = {"words": WORDS, "weights": {"pool": [0.1, 0.6, 0.3], "all": HEADS}}
    page = pictures.text_page([text])
    views = Views(page)
    assert rule(page, "t0v0r0") == ["#t0v0:checked"]
    assert views.labels["t0v0"] == "pool"
    assert views.labels["t0v2"] == "all head 2"
    colors = [color for _, color, _ in views.words["t0v0r0"]]
    assert colors == ["#fff2d4", "#ffb000", "#ffd880"]
    # Where the map has no readers, their buttons are hidden; else not.
    assert "#t0v0:checked~.t0readers{display:none}" in page
    assert "#t0v1:checked~.t0readers" not in page
    alone = pictures.text_page([{"words": WORDS, "weights": [1, 2, 3]}])
    assert "<label" not in alone and "readers" not in alone


def test_readers_may_be_others_than_the_words():
    text = {"words": WORDS, "weights": HEADS[0, :2], "readers": ["où", "est"]}
    views = Views(pictures.text_page([text]))
    assert list(views.labels.values()) == ["all, their mean", "où", "est"]
    weights = [weight for *_, weight in views.words["t0v0r2"]]
    np.testing.assert_allclose(weights, HEADS[0, 1])


def test_texts_have_their_title_probabilities_lines_and_notes():
    text = {
        "words": [["an", "awful", "film"], ["lovely"]],
        "weights": np.arange(4.0),
        "title": "negative",
        "probabilities": {"neg": 0.84, "pos": np.float32(0.16)},
        "notes": ["one word was not read"],
    }
    page = pictures.text_page([text, {**text, "title": "again"}], "Reviews")
    assert "<title>Reviews</title>" in page and "<h1>Reviews</h1>" in page
    assert "<h2>negative</h2>" in page and "<h2>again</h2>" in page
    assert re.findall(r"(\w+)</td><td[^>]*>([\d.]+) %", page)[:2] == [
        ("neg", "84.0"),
        ("pos", "16.0"),
    ]
    assert page.count('class="words"') == 4
    assert page.count("one word was not read") == 2
    views = Views(page)
    assert [word for word, *_ in views.words["t1v0r0"]] == [
        "an",
        "awful",
        "film",
        "lovely",
    ]


def test_what_strangers_wrote_stays_text():
    evil = "</style><script>alert(1)</script>\x1b[2J\u202e\"'&"
    text = {
        "words": [evil, "b"],
        "weights": {evil: [1.0, 2.0], "two": np.ones((2, 2))},
        "title": evil,
        "probabilities": {evil: 1.0},
        "notes": [evil],
    }
    page = pictures.text_page([text], evil)
    assert "<script" not in page and "\x1b" not in page and "\u202e" not in page
    assert page.count("</style>") == 1
    views = Views(page)
    assert views.words["t0v0r0"][0][0] == evil.replace("\x1b", "·").replace(
        "\u202e", "·"
    )
    assert not re.search(r"https?:|src=|url\(|@import", page)


def test_a_notebook_shows_it_in_a_frame_without_rights():
    page = pictures.text_page([{"words": ['"a"'], "weights": [1.0]}])
    assert isinstance(page, str) and page.startswith("<!DOCTYPE html>")
    frame = page._repr_html_()
    (found,) = re.findall(r'<iframe sandbox [^>]*srcdoc="([^"]*)"', frame)
    assert html.unescape(found) == page


def test_weights_of_zero_are_said():
    page = pictures.text_page([{"words": ["a"], "weights": [0.0]}])
    assert "all weights are 0" in page and "ramp" in page


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"words": []}, "0 words"),
        ({"weights": {}}, "0 maps"),
        ({"weights": np.ones(2)}, r"'attention' of shape \(2,\), 3 words"),
        ({"weights": np.ones((2, 3))}, "3 readers"),
        ({"weights": {"a": np.ones((1, 2, 3, 3))}}, "'a' of shape"),
        ({"readers": ["a"]}, "1 readers"),
        ({"weights": [1, 2, np.nan]}, "must be finite"),
        ({"weights": [1, 2, -1]}, "a weight of -1"),
        ({"probabilities": {"a": 1.5}}, "'a' of 1.5"),
        ({"probabilities": {"a": float("nan")}}, "'a' of nan"),
        ({"probabilities": {"a": "<b>"}}, "Received: 'a' of '<b>'"),
        ({"weights": np.zeros((20_000, 2, 9)), **LONG}, "Received: 540,000"),
    ],
)
def test_refuses_what_it_cannot_show(changes, message):
    with pytest.raises(ValueError, match=message):
        pictures.text_page([{"words": WORDS, "weights": HEADS, **changes}])


def test_refuses_no_text():
    with pytest.raises(ValueError, match="There must be a text"):
        pictures.text_page([])
