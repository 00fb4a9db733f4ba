from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_up import make_choices, make_evaluation, make_numbers
from understudy.data.action import Action
from understudy.errors import MissingExtraError
from understudy.report import canvas
from understudy.report.film import film
from understudy.report.page import Predictions, write_report

LINES = [{"step": s, "loss": 1 / s} for s in range(10, 300, 10)]
LINES += [{"step": s, "held_out/log_prob": -1 / s} for s in range(50, 300, 50)]
EVALUATIONS = {
    "expert": make_evaluation(264),
    "learned (deterministic)": make_evaluation(258, seed=1),
    "learned (sampled)": make_evaluation(240, seed=2),
    "random": make_evaluation(-180, seed=3),
}


def predictions():
    shown = np.random.default_rng(0).normal(size=(50, 2))
    return Predictions(
        Action(shown, np.zeros((50, 0), np.int64)), Action(0.5 * shown, np.zeros((50, 0), np.int64))
    )


class Page(HTMLParser):
    """The words, tags and files of a page."""

    def __init__(self, text):
        super().__init__()
        self.words, self.opened, self.closed, self.images = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])

    def handle_endtag(self, tag):
        self.closed.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def write(folder, **options):
    options = {"title": "A run", "facts": {"seed": "0"}, **options}
    page = write_report(folder, **options)
    assert page == folder / "report" / "index.html"
    numbers = json.loads((folder / "report" / "report.json").read_text())
    return Page(page.read_text()), (folder / "report" / "report.md").read_text(), numbers


def everything(tmp_path):
    frames = (np.full((20, 30, 3), 10 * t, np.uint8) for t in range(5))
    return {
        "curves": LINES,
        "best_step": 200,
        "offline": make_choices([0.9, 0.8], [0.5, 0.5], [0.4, 0.4]),
        "predictions": predictions(),
        "evaluations": EVALUATIONS,
        "film": film(frames, tmp_path / "elsewhere"),
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, *write(folder, **everything(folder))


@pytest.fixture
def sketched(monkeypatch):
    """Pictures that take no time: only where they lie is looked at."""
    for name in ("learning_curves", "return_histograms", "confusions", "scatters"):

        def sketch(*args, **options):
            next(a for a in args if isinstance(a, Path)).write_bytes(b"a picture" * 20)

        monkeypatch.setattr(f"understudy.report.pictures.{name}", sketch)


def test_whole_report_has_all_numbers_and_pictures(whole):
    folder, page, text, numbers = whole
    html = (folder / "report" / "index.html").read_text()
    assert numbers["pictures"] == page.images
    names = {"returns.png", "film.webp", "confusion.png", "scatter.png", "curves.png"}
    assert set(page.images) == names
    for name in page.images:
        with Image.open(folder / "report" / name) as image:
            image.load()
            if name.endswith(".png"):  # letters are as large in every picture
                assert f'src="{name}" alt="' in html
                assert f'width="{image.width * 96 // canvas.DPI}"' in html
        assert f"]({name})" in text
    assert numbers["evaluations"]["expert"]["return"]["iqm"] == pytest.approx(264, abs=3)
    assert len(numbers["evaluations"]["expert"]["returns"]) == 100
    assert numbers["offline"]["steps"] == 1000
    assert numbers["verdict"]["level"] == "good"
    assert numbers["standing"]["level"] == "good"
    assert numbers["best_step"] == 200


def test_page_needs_nothing_from_elsewhere(whole):
    html = (whole[0] / "report" / "index.html").read_text()
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html


def test_page_closes_what_it_opens(whole):
    opened = [tag for tag in whole[1].opened if tag not in ("meta", "img")]
    assert sorted(opened) == sorted(whole[1].closed)


@pytest.mark.parametrize("left_out", ["curves", "offline", "predictions", "evaluations", "film"])
def test_anything_may_be_missing(tmp_path, left_out, sketched):
    options = everything(tmp_path)
    del options[left_out]
    page, text, _ = write(tmp_path, **options)
    assert page.images
    assert "A run" in text


def test_nothing_but_a_title_is_a_report(tmp_path):
    page, text, numbers = write(tmp_path, facts={})
    assert text == "# A run\n"
    assert numbers["verdict"] is None
    assert page.images == []


def test_report_without_an_environment_reminds_of_it(tmp_path, sketched):
    _, alone, _ = write(tmp_path, offline=make_numbers([0.24], training=[0.26]))
    assert "Only an environment can say" in alone
    assert "That is weak: the other 76% are noise" in alone
    _, played, _ = write(tmp_path, offline=make_numbers([0.24]), evaluations=EVALUATIONS)
    assert "Only an environment can say" not in played


def test_everything_is_escaped(tmp_path):
    evil = '<script>alert("x")</script> & | `code` *b*'
    page, text, numbers = write(
        tmp_path,
        title=evil,
        facts={evil: evil + "\x1b[31m"},
        evaluations={evil: make_evaluation(1)},
    )
    assert "script" not in page.opened
    assert evil in "".join(page.words)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\\|" in text
    assert numbers["title"] == evil


def test_numbers_that_are_none_become_null(tmp_path):
    lines = [{"step": 1, "loss": float("nan")}, {"step": np.int64(2), "loss": np.float32(1)}]
    _, _, numbers = write(tmp_path, curves=lines)
    assert numbers["curves"] == [{"step": 1, "loss": None}, {"step": 2, "loss": 1.0}]


def test_second_report_leaves_no_picture_of_the_first(tmp_path, sketched):
    write(tmp_path, **everything(tmp_path))
    page, _, _ = write(tmp_path, offline=make_choices([0.9]))
    there = {p.name for p in (tmp_path / "report").iterdir()}
    assert there == {"index.html", "report.md", "report.json", *page.images}
    assert page.images == ["confusion.png"]


def test_film_of_the_report_itself_stays(tmp_path, sketched):
    options = everything(tmp_path)
    write(tmp_path, **options)
    inside = tmp_path / "report" / "film.webp"
    before = inside.read_bytes()
    page, _, _ = write(tmp_path, **(options | {"film": inside}))
    assert "film.webp" in page.images
    assert inside.read_bytes() == before


def test_without_matplotlib_the_text_is_written_and_the_extra_named(tmp_path, monkeypatch):
    def missing(*args, **options):
        raise MissingExtraError("pictures", "plots")

    monkeypatch.setattr("understudy.report.pictures.canvas", missing)
    page, text, numbers = write(tmp_path, **everything(tmp_path))
    assert 'pip install "understudy\\[plots\\]"' in text
    assert page.images == ["film.webp"]
    assert numbers["offline"]["steps"] == 1000
    assert canvas.DPI  # the module itself needs no matplotlib


def test_evaluation_without_episodes_is_listed(tmp_path):
    from understudy.run.evaluate import Evaluation

    nobody = Evaluation(np.zeros(0), np.zeros(0, np.int64))
    _, text, numbers = write(tmp_path, evaluations={"learned": nobody})
    assert "| learned | 0 |" in text
    assert numbers["evaluations"]["learned"]["episodes"] == 0
