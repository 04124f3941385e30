from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from app.wire.phone.api import WireError
from app.wire.phone.envelope import MAX_MESSAGE_CHARACTERS, Fields, json_object

SECRET = "correct horse"


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (b"{}", "binary: expected text"),
        ("", "not JSON"),
        ("[1]", "not an object"),
        ("[" * 100_000, "not JSON"),
        ('{"n": ' + "1" * 5000 + "}", "not JSON"),
        (" " * (MAX_MESSAGE_CHARACTERS + 1), "longer than 1048576 characters"),
    ],
    ids=["binary", "empty", "list", "deep", "long number", "long"],
)
def test_what_is_no_json_object_is_refused(message: str | bytes, mistake: str) -> None:
    with pytest.raises(WireError, match=f"^{mistake}$"):
        json_object(message)


@pytest.mark.parametrize(
    ("read", "value", "mistake"),
    [
        (lambda fields: fields.text("x"), None, "is missing"),
        (lambda fields: fields.text("x"), [SECRET], "expected text"),
        (lambda fields: fields.text("x"), "\ud800", "expected Unicode"),
        (lambda fields: fields.whole("x"), SECRET, "expected a whole number"),
        (lambda fields: fields.whole("x"), "\u0663", "expected a whole number"),
        (lambda fields: fields.whole("x"), "9" * 5000, "expected a whole number"),
        (lambda fields: fields.whole("x"), -1, "expected a whole number"),
        (lambda fields: fields.whole("x"), True, "expected a whole number"),
        (lambda fields: fields.whole("x"), 1.5, "expected a whole number"),
        (lambda fields: fields.one_of("x", {"a": 1, "b": 2}), SECRET, "expected one of a, b"),
        (lambda fields: fields.digit("x"), SECRET, "expected one of 0 to 9, *, #, A to D"),
        (lambda fields: fields.base64("x"), SECRET, "expected base64"),
        (lambda fields: fields.base64("x"), "AAA", "expected base64"),
        (lambda fields: fields.base64("x"), "é", "expected base64"),
        (lambda fields: fields.object("x"), SECRET, "expected an object"),
        (lambda fields: fields.objects("x"), [{}, SECRET], "expected a list of objects"),
        (lambda fields: fields.texts("x"), [SECRET, 1], "expected a list of texts"),
        (lambda fields: fields.rate_hz("x"), 11_025, "expected one of 8000, "),
        (lambda fields: fields.parameters("x"), SECRET, "expected an object"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_is_not_repeated(
    read: Callable[[Fields], object], value: object, mistake: str
) -> None:
    fields = json_object(json.dumps({"start": {"x": value}})).object("start")

    with pytest.raises(WireError, match=r"^start\.x: " + re.escape(mistake)) as caught:
        read(fields)
    assert SECRET not in str(caught.value)


def test_the_place_in_a_list_is_its_number() -> None:
    (_, second) = json_object('{"media": [{}, {"rate": "fast"}]}').objects("media")

    with pytest.raises(WireError, match=r"^media\.1\.rate: expected a whole number$"):
        second.whole("rate")


def test_a_whole_number_may_be_written_as_text() -> None:
    fields = json_object('{"a": 7, "b": "7"}')

    assert (7, 7, 3) == (fields.whole("a"), fields.whole("b"), fields.whole("c", 3))


def test_null_is_not_there() -> None:
    fields = json_object('{"x": null}')

    assert "x" not in fields
    assert (None, "y", {}) == (fields.optional_text("x"), fields.text("x", "y"), fields.parameters("x"))


def test_parameters_are_text_and_what_is_none_stays_json() -> None:
    fields = json_object('{"x": {"name": "Jane", "age": 7, "tags": ["a"], "half": "\\ud800"}}')

    assert {"name": "Jane", "age": "7", "tags": '["a"]', "half": "?"} == fields.parameters("x")


def test_the_rest_is_what_is_not_known() -> None:
    assert {"b": "2"} == json_object('{"a": "1", "b": "2"}').rest("a")


def test_a_key_of_a_telephone_may_be_written_small() -> None:
    assert "D" == json_object('{"digit": "d"}').digit("digit")
