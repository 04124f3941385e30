"""The files of the page, as far as they can be read without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "app" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
FILES = sorted(path for path in STATIC.iterdir() if path.is_file())
PAGE = (STATIC / "index.html").read_text("utf-8")


def name_of(path: Path) -> str:
    return path.name


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(PAGE)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


ELEMENTS = Elements().found
IDS = [str(attributes["id"]) for _, attributes in ELEMENTS if "id" in attributes]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    addresses = set(
        re.findall(
            r"(?:https?:)?//[\w.-]+\.\w+",
            re.sub(r"^\s*(//|\*|/\*\*).*$", "", path.read_text("utf-8"), flags=re.MULTILINE),
        )
    )

    assert set() == addresses - {"http://www.w3.org"}


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_import_only_their_neighbours_and_make_no_markup(path: Path) -> None:
    source = path.read_text("utf-8")
    imported = set(re.findall(r'from "\./([\w.-]+)"', source))

    assert imported <= {path.name for path in SCRIPTS}
    assert imported == set(re.findall(r'^(?:import|export) .* from "(?:\./)?([^"]+)"', source, re.MULTILINE))
    assert [] == re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|document\.write", source)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_longer_than_600_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 600


def test_the_page_has_no_script_and_no_style_inside() -> None:
    inline = [tag for tag, given in ELEMENTS if tag == "style" or (tag == "script" and "src" not in given)]
    attributes = {name for _, given in ELEMENTS for name in given if name == "style" or name.startswith("on")}

    assert ([], set()) == (inline, attributes)


def test_what_the_page_refers_to_is_there() -> None:
    named = [str(given.get("src") or given.get("href")) for _, given in ELEMENTS if "src" in given or "href" in given]

    assert [] == [name for name in named if name.startswith("static/") and not (STATIC / name[7:]).is_file()]


def test_every_id_that_the_script_asks_for_is_in_the_page() -> None:
    asked = set(re.findall(r'\$\("([\w-]+)"\)', (STATIC / "page.js").read_text("utf-8")))

    assert set() == asked - set(IDS)
    assert sorted(set(IDS)) == sorted(IDS)


def test_every_field_has_a_label() -> None:
    fields = [(tag, given) for tag, given in ELEMENTS if tag in {"input", "select"}]
    labelled = {given.get("for") for tag, given in ELEMENTS if tag == "label"}
    wrapped = re.findall(r'<label[^>]*>[^<]+<(?:select|input) id="(\w+)"', re.sub(r"\n\s*", "", PAGE))

    assert [] == [given["id"] for _, given in fields if given["id"] not in labelled | set(wrapped)]
