"""What a notebook shows, and what print says."""

from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from shatterlab import load, make_spec
from shatterlab.faces import data_face
from shatterlab.results import Store
from shatterlab.studies import STUDIES


def test_data_show_their_sets_and_first_pictures() -> None:
    data = load("digits")
    html = data._repr_html_()
    assert "examples of shape 8 x 8 x 1, 10 classes, 0.0 % corrupted" in html
    png = b64decode(html.partition("base64,")[2].partition('"')[0])
    width, height = Image.open(BytesIO(png)).size
    assert width > 9 * height
    assert len(html) < 60_000


def test_pictures_of_noise_stay_small_and_tables_have_none() -> None:
    noise = np.random.default_rng(0).integers(256, size=(20, 224, 100, 3), dtype=np.uint8)
    assert 1_000 < len(data_face({}, noise, ())) < 60_000
    assert "<img" not in data_face({}, np.zeros((5, 1, 30, 1), np.float32), ())
    assert "<img" not in data_face({}, np.zeros((5, 30), np.float32), ())


def test_names_are_escaped_and_many_are_cut() -> None:
    data = load("digits")
    html = data_face({"<i>": replace(data.train)}, data.train.inputs, ["<b>", *map(str, range(99))])
    assert "<b>" not in html
    assert "<i>" not in html
    assert ", ..." in html


def test_a_spec_shows_the_dials_that_differ_from_the_defaults() -> None:
    html = make_spec(model="<b>", data="digits", corruption="random-labels", epochs=7)._repr_html_()
    assert "&lt;b&gt;" in html
    assert "random-labels" in html
    assert "epochs" in html
    assert "momentum" not in html
    assert "amount" not in html


def test_a_study_shows_its_question_and_its_size() -> None:
    html = STUDIES["table1"]._repr_html_()
    assert STUDIES["table1"].source in html
    assert "demo " in html


def test_a_result_prints_as_three_lines(small_store: Store) -> None:
    result = next(r for r in small_store.results() if r.spec.corruption == "random-labels")
    said = str(result)
    assert len(said.splitlines()) == 3
    assert "corrupted examples fitted" in said
    assert "test " in said
    assert repr(result).startswith("Result(spec=Spec(")
