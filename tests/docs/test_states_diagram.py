"""The diagram of the states: every arrow from the table, and the committed file up to date."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from docs.generators.states_diagram import BOX_HEIGHT, BOX_WIDTH, HEIGHT, LABELS, PLACES, TARGET, WIDTH, draw, main
from session.states import TRANSITIONS, SessionState


def test_the_committed_diagram_is_what_is_drawn() -> None:
    assert draw() == TARGET.read_text(encoding="utf-8"), "run: make docs"


def test_there_is_an_arrow_for_each_change_in_the_table_and_no_other() -> None:
    drawn = set(re.findall(r"<title>(\w+) to (\w+)</title>", draw()))

    assert {(str(state), str(each)) for state, following in TRANSITIONS.items() for each in following} == drawn


def test_there_is_a_box_for_each_state() -> None:
    assert list(SessionState) == re.findall(r'class="name"[^>]*>(\w+)<', draw())
    assert set(SessionState) == set(PLACES)


def test_a_label_is_of_a_change_that_exists() -> None:
    assert [] == [edge for edge in LABELS if edge[1] not in TRANSITIONS[edge[0]]]


def test_it_is_xml_with_a_title_and_colours_for_light_and_dark() -> None:
    root = ET.fromstring(draw())

    assert "{http://www.w3.org/2000/svg}svg" == root.tag
    assert root.findtext("{http://www.w3.org/2000/svg}title")
    assert "prefers-color-scheme: dark" in draw()


def test_everything_is_inside_the_picture_and_no_box_on_another() -> None:
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)(?=[ \"])", draw())]
    places = list(PLACES.values())

    assert all(0 <= x <= WIDTH + 40 and 0 <= y <= HEIGHT for x, y in points)
    assert [] == [
        (one, other)
        for at, one in enumerate(places)
        for other in places[at + 1 :]
        if abs(one[0] - other[0]) < BOX_WIDTH and abs(one[1] - other[1]) < BOX_HEIGHT
    ]


def test_a_state_that_has_no_place_is_an_error_not_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PLACES, SessionState.AWAY)
    with pytest.raises(KeyError):
        draw()


def test_the_program_writes_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    target = type(TARGET)(str(tmp_path), "states.svg")
    monkeypatch.setattr("docs.generators.states_diagram.TARGET", target)
    main()

    assert draw() == target.read_text(encoding="utf-8")
