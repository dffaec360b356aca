"""A `zoo.Table`: columns by their own names, files and frames read alike."""

import pathlib

import numpy as np
import pytest

import zoo
from tests.zoo.data.frames import Frame, missing
from zoo.data.captions import load_captions
from zoo.data.images import load_images
from zoo.data.pairs import load_candidates, load_pairs
from zoo.data.questions import load_questions
from zoo.data.region_captions import load_region_captions
from zoo.data.table_source import Reading, Table, read_rows
from zoo.data.tables import load_tables
from zoo.data.texts import load_texts

IMAGE = np.zeros((4, 4, 3), "uint8")

# Loader, role -> column, and what a row of those columns is read as.
KINDS = {
    "texts": (
        load_texts,
        {"text": ["one", "two"], "label": ["b", "a"]},
        lambda data: (data.texts, data.labels.tolist(), data.label_names),
        (["one", "two"], [1, 0], ["a", "b"]),
    ),
    "pairs": (
        load_pairs,
        {"left": ["l1", "l2"], "right": ["r1", "r2"], "label": ["b", "a"]},
        lambda data: (data.pairs, data.labels.tolist(), data.label_names),
        ([("l1", "r1"), ("l2", "r2")], [1, 0], ["a", "b"]),
    ),
    "candidates": (
        load_candidates,
        {
            "question": ["q1", "q2"],
            "candidate": ["c1", "c2"],
            "label": ["right", "wrong"],
        },
        lambda data: (data.pairs, data.labels.tolist(), data.label_names),
        ([("c1", "q1"), ("c2", "q2")], [1, 0], ["wrong", "right"]),
    ),
    "questions": (
        load_questions,
        {
            "image": ["a.png", "b.png"],
            "question": ["q1", "q2"],
            "answer": ["no", "yes"],
        },
        lambda data: (data.questions, data.labels.tolist(), data.label_names),
        (["q1", "q2"], [0, 1], ["no", "yes"]),
    ),
    "captions": (
        load_captions,
        {"image": ["a.png", "b.png"], "caption": ["a cat", "a dog"]},
        lambda data: data.captions,
        [["a cat"], ["a dog"]],
    ),
    "regions": (
        load_region_captions,
        {
            "image": ["a.png", "b.png"],
            "boxes": ["-1 -1 0 0", "0 0 1 1"],
            "caption": ["a cat", "a dog"],
        },
        lambda data: (data.captions, [each.tolist() for each in data.boxes]),
        ([["a cat"], ["a dog"]], [[[-1, -1, 0, 0]], [[0, 0, 1, 1]]]),
    ),
}


@pytest.fixture
def kind(request):
    return KINDS[request.param]


every_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)


def write(path, columns, delimiter=",", encoding="utf-8"):
    rows = [columns, *zip(*columns.values())]
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    path.write_bytes(text.encode(encoding))
    return path


def parts(folder, columns, suffix=".csv", **options):
    """The folder, with a table for each part and two pictures beside it."""
    in_folders = "caption" in "".join(columns).lower()
    for part in ("train", "test"):
        inside = folder / part if in_folders else folder
        inside.mkdir(parents=True, exist_ok=True)
        for image in ("a.png", "b.png"):
            (inside / image).touch()
        name = "captions" if in_folders else part
        write(inside / f"{name}{suffix}", columns, **options)
    return folder


@every_kind
def test_a_table_of_any_form_is_read_alike(kind, tmp_path):
    load, columns, shown, expected = kind
    other = {f"Other {role}": cells for role, cells in columns.items()}
    named = {role: f"other{role}" for role in columns}
    rows = [dict(zip(other, row)) for row in zip(*other.values())]
    loud = {f" {role.upper()} ": cells for role, cells in columns.items()}
    loud = {"id": ["1", "2"], **loud}
    plain = parts(tmp_path / "plain", loud, ".tsv", delimiter="\t")
    odd = parts(tmp_path / "odd", other, delimiter="|", encoding="cp1252")
    for source in (
        plain,
        Table(odd, columns=named),
        Table(odd, named, "|", "cp1252"),
        Frame(columns),
        Table(Frame(columns)),
        Table(other, columns=named),
        Table(rows, columns=named),
    ):
        for split in ("train", "test"):
            assert shown(load(source, split)) == expected


@every_kind
def test_a_column_that_is_not_there_is_told_with_near_ones(kind, tmp_path):
    load, columns, *_ = kind
    *others, last = columns
    renamed = {**{role: columns[role] for role in others}}
    renamed[f"{last}s_"] = columns[last]
    path = parts(tmp_path, renamed)
    with pytest.raises(ValueError) as caught:
        load(path)
    words = str(caught.value)
    assert f"--{last}-column" in words and f"['{last}s_']" in words
    assert "line 1" in words and str(tmp_path) in words
    table = Table(path, columns={last: f"{last}s_"})
    found = load(table)
    assert f"{last} is '{last}s_'" in found.found()


@every_kind
@pytest.mark.parametrize("cell", ["", " "])
def test_a_cell_that_is_empty_is_told_by_column_and_line(kind, cell, tmp_path):
    load, columns, *_ = kind
    for role, cells in columns.items():
        broken = {**columns, role: [cells[0], cell]}
        path = parts(tmp_path, broken)
        with pytest.raises(ValueError, match=f"empty {role} in .*csv, line 3$"):
            load(path)


@every_kind
def test_a_missing_cell_of_a_frame_is_told_by_its_row(kind):
    load, columns, *_ = kind
    for role, cells in columns.items():
        for nothing in (None, float("nan"), np.float64("nan"), missing(), " "):
            broken = {**columns, role: [cells[0], nothing]}
            with pytest.raises(ValueError, match=f"empty {role} at place 1$"):
                load(Frame(broken))


@every_kind
def test_what_is_no_column_of_the_task_is_refused(kind, tmp_path):
    load, columns, *_ = kind
    with pytest.raises(ValueError, match=r"a shell --NAME-column.*'colour'"):
        load(Table(parts(tmp_path, columns), columns={"colour": "label"}))


@every_kind
def test_the_way_of_reading_is_kept_with_the_place(kind, tmp_path):
    load, columns, *_ = kind
    path = parts(tmp_path, columns, delimiter=";", encoding="utf-16")
    found = load(Table(path, delimiter=";", encoding="utf-16"))
    told = found.describe()
    assert told["delimiter"] == ";" and told["encoding"] == "utf-16"
    assert told["place"].endswith(tmp_path.name) and "columns" not in told
    assert "; semicolons between columns; in UTF-16-LE" in found.found()
    # What is told apart is said, and not asked for the next time.
    alone = load(path)
    assert alone.found() == found.found()
    assert not {"delimiter", "encoding", "columns"} & set(alone.describe())
    assert "place" not in load(Frame(columns)).describe()


def test_labels_are_without_the_space_around_them(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text, label\none, a\n two ,b \nthree,a\n")
    data = load_texts(tmp_path)
    assert data.label_names == ["a", "b"] and data.texts[1] == " two "


def test_labels_of_a_frame_may_be_numbers():
    for labels, names in (
        ([3, 10], ["3", "10"]),
        (np.array([3.0, 10.0]), ["3", "10"]),
        ([False, True], ["False", "True"]),
    ):
        data = load_texts(Frame({"text": ["a", "b"], "label": labels}))
        assert data.label_names == names and data.labels.tolist() == [0, 1]
    frame = {"question": ["q", "q"], "candidate": ["a", "b"]}
    data = load_candidates(Frame({**frame, "label": [1, 0]}))
    assert data.labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="or 0 or 1.*2 at place 1"):
        load_candidates(Frame({**frame, "label": [1, 2]}))
    with pytest.raises(ValueError, match="a string. Received: int at place 0"):
        load_texts(Frame({"text": [1, 2], "label": ["a", "b"]}))


def test_rows_of_one_image_in_a_frame_are_its_captions():
    other = IMAGE + 1
    frame = Frame(
        {"image": [IMAGE, other, IMAGE.copy()], "caption": ["a", "b", "c"]}
    )
    data = load_captions(frame)
    assert data.captions == [["a", "c"], ["b"]] and len(data.images) == 2
    boxes = [[(-1, -1, 0, 0)]] * 3
    frame = Frame({**frame.values, "boxes": boxes})
    data = load_region_captions(frame)
    assert [each.tolist() for each in data.boxes] == [[[-1, -1, 0, 0]]] * 2
    asked = {"question": ["x", "y", "z"], "answer": ["1", "2", "1"]}
    data = load_questions(Frame({**frame.values, **asked}))
    assert data.shown.tolist() == [0, 1, 0]


def test_one_class_is_told_by_column_and_file(tmp_path):
    table = Table(
        write(tmp_path / "a.csv", {"text": ["a", "b"], "stars": ["5", "5"]}),
        columns={"label": "stars"},
    )
    with pytest.raises(ValueError, match=r"\['5'\] as .*'stars' of .*a.csv"):
        load_texts(table)
    frame = Frame({"text": ["a", "b"], "label": ["5", "5"]})
    with pytest.raises(ValueError, match="column 'label' of the Frame"):
        load_texts(frame)
    assert load_texts(frame, "test").label_names == ["5"]


@pytest.mark.parametrize(
    "header, columns, why",
    [
        ("Text,TEXT,label", None, "one column `text`.*'Text', 'TEXT'.*line 1"),
        ("text,text,label", None, "one column `text`.*line 1"),
        ("text,x,label", {"label": "text"}, "another one.*'text'.*line 1"),
        ("a,b", {"text": "a"}, r"`a` \(the text\) and `label`.*--label-column"),
        ("text:label", None, "text:label.*line 1; `delimiter` names"),
        ("", None, r"must name the columns.*\[\]"),
    ],
)
def test_columns_that_are_not_clear_are_refused(header, columns, why, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"{header}\n")
    with pytest.raises(ValueError, match=why):
        load_texts(Table(path, columns=columns))


def test_the_exact_name_goes_before_one_that_is_written_alike(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("Text,text,label\nx,one,a\ny,two,b\n")
    assert load_texts(tmp_path).texts == ["one", "two"]


def test_rows_take_a_table_without_fixed_columns(tmp_path):
    path = tmp_path / "people.tsv"
    path.write_text("age\tjob\tpay\n1\tx\tlow\n2\ty\thigh\n" * 1, "utf-8")
    odd = tmp_path / "odd.csv"
    odd.write_bytes("age;job;pay\n1;café;low\n2;y;high\n".encode("cp1252"))
    data = load_tables(Table(odd, None, ";", "cp1252"), targets="pay")
    assert "in CP1252" in data.found()
    whole = {
        str(job)
        for part in ("train", "test")
        for job in load_tables(Table(odd, encoding="cp1252"), part).columns[
            "job"
        ]
    }
    assert whole == {"café", "y"}
    assert "; tabs between columns" in load_tables(path).found()
    frame = Frame({"age": [1, 2], "job": ["x", missing()]})
    assert load_tables(Table(frame)).columns["job"].tolist() == ["x", ""]
    with pytest.raises(ValueError, match="`targets`, in a shell --targets"):
        load_tables(Table(path, columns={"label": "pay"}))


def test_images_are_not_read_from_tables(tmp_path):
    for source in (Table(tmp_path, delimiter=";"), Frame({"image": [IMAGE]})):
        with pytest.raises(ValueError, match="Images are not read from tables"):
            load_images(source)


def test_what_is_no_table_takes_no_words_about_one(tmp_path):
    for name in ("test/no", "test/yes", "train/no", "train/yes"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.txt").write_text(name)
    found = load_texts(Table(tmp_path), "test")
    assert found.texts == ["test/no", "test/yes"]
    with pytest.raises(ValueError, match="A folder of texts must hold `train"):
        load_texts(Table(tmp_path, delimiter=";"))
    for load in (load_texts, load_captions, load_region_captions, load_tables):
        with pytest.raises(ValueError, match="known data take no `columns`"):
            load(Table("scenes", delimiter=";"))
    with pytest.raises(FileNotFoundError, match="nowhere.tsv"):
        load_texts(Table("nowhere.tsv"))


@pytest.mark.parametrize(
    "options, why",
    [
        ({"source": 3}, "a path, a frame.*type int"),
        ({"source": ("a", "b")}, "a path, a frame.*type tuple"),
        ({"columns": "text"}, "a dict from.*columns='text'"),
        ({"columns": {}}, "a dict from"),
        ({"columns": {"text": 3}}, "a dict from"),
        ({"columns": {"text": " "}}, "a dict from"),
        ({"delimiter": ";;"}, "one character"),
        ({"encoding": "utf-9"}, "Python knows"),
        ({"source": {"a": [1]}, "delimiter": ";"}, "are for files.*type dict"),
    ],
)
def test_a_table_that_cannot_be_is_refused(options, why):
    with pytest.raises(ValueError, match=why):
        Table(**{"source": "a.csv", **options})


def test_the_public_name_says_what_was_asked():
    assert zoo.Table is Table
    table = zoo.Table("a.csv", {"text": "x"}, "tab")
    assert table.asked() == {"columns": {"text": "x"}, "delimiter": "\t"}
    assert Table("a.csv").asked() == {} and not table.in_memory
    assert Reading({}, ("one", "two")).words() == "; one; two"


def test_pandas_frames_are_read(tmp_path):
    """As the stand-in of the other tests is; where pandas is installed."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"text": ["one", "two", "three"], "label": [3, 10, 3]},
        index=[7, 7, 9],
    )
    data = load_texts(frame)
    assert data.texts == ["one", "two", "three"]
    assert data.label_names == ["3", "10"] and data.labels.tolist() == [0, 1, 0]
    for kind in ("string", "category", "object"):
        words = frame.assign(label=["b", "a", "b"]).astype({"label": kind})
        assert load_texts(words).label_names == ["a", "b"]
        words.loc[9, "label"] = None
        with pytest.raises(ValueError, match="empty label at place 2"):
            load_texts(words)
    path = tmp_path / "train.csv"
    frame.to_csv(path)  # the index is a column without a name
    assert load_texts(tmp_path).texts == data.texts
    frame.to_csv(path, sep=";", encoding="utf-16", index=False)
    assert load_texts(tmp_path).texts == data.texts
    rows = pandas.DataFrame({"age": [1, None], "job": ["x", None]})
    table = load_tables(rows)
    np.testing.assert_array_equal(table.columns["age"], [1, np.nan])
    assert table.columns["job"].tolist() == ["x", ""]


def test_read_rows_gives_the_cells_of_the_first_choice_that_is_there():
    table = Table({"b": ["1"], "c": ["2"], "a": [IMAGE]})
    found = read_rows(table, "things", ("a", "x"), ("c", "a"), ("b", "a"))
    ((where, (two, image)),) = found.rows
    assert (where, two) == ("at place 0", "2") and image is IMAGE
    assert found.roles == ("c", "a") and found.cells("c") == ["2"]
    with pytest.raises(ValueError, match="`x` and `y`, or `a` and `z`"):
        read_rows(table, "things", ("x", "y"), ("a", "z"))
    with pytest.raises(ValueError, match=pathlib.Path("mine.csv").name):
        read_rows(Table({"mine.csv": ["1"]}), "things", ("x", "y"))
