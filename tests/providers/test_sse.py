from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.sse import EventStream


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("data: a\n\n", ["a"]),
        ("data:a\n\ndata:  b\n\n", ["a", " b"]),
        ("data: a\ndata: b\n\n", ["a\nb"]),
        ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
        (": comment\n\nevent: ping\n\nid: 1\ndata: a\nretry: 5\n\n", ["a"]),
        ("data\n\n", [""]),
        ("\n\n\n", []),
        ("data: not finished\n", []),
        ("data: [DONE]", []),
    ],
)
def test_events_are_read_as_the_standard_says(text: str, events: list[str]) -> None:
    assert events == EventStream().push(text)


@given(st.lists(st.sampled_from(["data", ":", " ", "a", "\n", "\r", "\r\n", "\n\n"])), st.data())
def test_events_do_not_depend_on_the_cuts(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    stream = EventStream()
    deltas = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert EventStream().push(text) == [event for delta in deltas for event in stream.push(delta)]
