"""Invariant: whatever arrives, ``decode`` returns events or raises ``WireError``, never anything else; a message that
raised leaves nothing behind; and no error repeats what was sent. Of codecs and of the far sides of gateways alike.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Codec,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    SendDigits,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.catalogue import CODECS
from app.wire.phone.detect import by_message
from app.wire.phone.far.api import Gateway
from app.wire.phone.far.catalogue import GATEWAYS
from app.wire.phone.telnyx import Telnyx

PCM = bytes(range(256)) * 5
TOLD = (
    Audio(PCM),
    Digit("5"),
    MarkReached("7"),
    Audio(PCM),
    Cleared(),
    FlowChanged(open=False),
    Failed("429: too fast", retry_after_ms=3000),
    HungUp(),
)
ASKED = (Speak(PCM), Mark("7"), Clear(), SendDigits("5"), HangUp())
SECRET = "xyzzy"

every_gateway = pytest.mark.parametrize("name", CODECS)
messages = st.one_of(st.text(), st.binary(), st.text(alphabet='{}[]",:0129.eE-+ntf \\u'))


@dataclass(frozen=True, slots=True)
class Talk:
    """A codec and the gateway's side of it, with what each has to say to the other."""

    codec: Codec
    gateway: Gateway
    to_server: list[Message]
    to_gateway: list[Message]


def talk(name: str) -> Talk:
    """A call that has started, with all that may come next."""
    codec, gateway = CODECS[name](), GATEWAYS[name]()
    start_of(gateway, codec)
    to_server = [message for event in TOLD for message in gateway.encode(event)]
    to_gateway = [message for command in ASKED for message in codec.encode(command)]
    return Talk(codec, gateway, to_server, to_gateway)


def start_of(gateway: Gateway, codec: Codec) -> list[Message]:
    form = gateway.formats[0]
    call = PhoneCall(gateway.name, "1", form, form, stream_id="2", caller="+1", callee="+2", parameters={"a": "b"})
    messages = gateway.encode(Started(call))
    for event in chain.from_iterable(map(codec.decode, messages)):
        if isinstance(event, Respond):
            gateway.decode(event.message)
    return messages


def check(event: Event) -> None:
    match event:
        case Audio(pcm):
            assert pcm
            assert len(pcm) % 2 == 0
        case Digit(digit):
            assert digit in "0123456789*#ABCD"
        case MarkReached(name):
            name.encode()
        case Started(call):
            json.dumps([call.call_id, call.stream_id, call.caller, call.callee, call.parameters]).encode()
        case Failed(message):
            message.encode()
        case Respond(message):
            assert message
        case Cleared() | FlowChanged() | HungUp():
            pass


def check_side(side: Codec | Gateway, message: Message) -> list[Any]:
    try:
        return list(side.decode(message))
    except WireError as error:
        mistake = str(error)

    assert SECRET not in mistake
    assert len(mistake) < 200
    return []


def check_codec(codec: Codec, said: Iterable[Message]) -> list[Event]:
    events: list[Event] = [event for message in said for event in check_side(codec, message)]
    for event in events:
        check(event)
    assert len([event for event in events if isinstance(event, Started)]) <= 1
    return events


@every_gateway
@given(said=st.lists(messages, max_size=8))
def test_garbage_before_the_start(name: str, said: list[Message]) -> None:
    check_codec(CODECS[name](), said)
    for message in said:
        check_side(GATEWAYS[name](), message)


@every_gateway
@given(said=st.lists(messages, max_size=8))
def test_garbage_in_a_call(name: str, said: list[Message]) -> None:
    both = talk(name)

    check_codec(both.codec, said)
    for message in said:
        check_side(both.gateway, message)


def mutations(message: Message) -> st.SearchStrategy[Message]:
    if isinstance(message, bytes):
        return st.one_of(st.integers(0, len(message)).map(lambda at: message[:at]), st.just(message.hex()))
    if message.startswith("{"):
        ways = (json_mutations(json.loads(message)).map(json.dumps), values.map(json.dumps), text_mutations(message))
        return st.sampled_from((0, 0, 0, 1, 2)).flatmap(lambda way: ways[way])  # one_of would weigh each of the values
    return text_mutations(message)


def text_mutations(text: str) -> st.SearchStrategy[Message]:
    at = st.integers(0, len(text))
    return st.builds(lambda start, end, put: text[:start] + put + text[end:], at, at, st.text(max_size=5))


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.just("\ud800"),
    st.just(SECRET),
    st.just("9" * 5000),
    st.just([SECRET]),
    st.just({SECRET: SECRET}),
    st.just([{}]),
    st.just({}),
)


def places(value: Any) -> list[tuple[Any, ...]]:
    """Of everything in a JSON value: the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [()] + [(key, *rest) for key, each in inner for rest in places(each)]


@st.composite
def json_mutations(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value, one place of which is something else, or not there."""
    *way, last = draw(st.sampled_from([place for place in places(value) if place]))
    changed = json.loads(json.dumps(value))
    inner = changed
    for key in way:
        inner = inner[key]
    if draw(st.integers(0, 9)) == 0:
        del inner[last]
    else:
        inner[last] = draw(values)
    return changed


@every_gateway
@given(data=st.data())
def test_a_start_with_a_mistake(name: str, data: st.DataObject) -> None:
    start = start_of(GATEWAYS[name](), CODECS[name]())[-1]
    codec = CODECS[name]()

    check_codec(codec, [data.draw(mutations(start)), *talk(name).to_server])


@every_gateway
@given(data=st.data())
def test_messages_of_a_call_with_mistakes(name: str, data: st.DataObject) -> None:
    both = talk(name)
    said = [data.draw(mutations(message)) for message in both.to_server]
    asked = [data.draw(mutations(message)) for message in both.to_gateway]

    check_codec(both.codec, said)
    for message in asked:
        check_side(both.gateway, message)


@every_gateway
def test_every_beginning_of_every_message(name: str) -> None:
    """As if it arrived byte by byte and each byte were taken for the end."""
    both = talk(name)
    for message in both.to_server:
        check_codec(talk(name).codec, (message[:at] for at in range(len(message))))
    for message in both.to_gateway:
        for at in range(len(message)):
            check_side(both.gateway, message[:at])


@every_gateway
@given(said=st.lists(messages, max_size=8))
def test_what_was_not_understood_leaves_nothing_behind(name: str, said: list[Message]) -> None:
    disturbed, quiet = talk(name), talk(name)
    for message in said:
        try:
            disturbed.codec.decode(message)
        except WireError:
            continue
        quiet.codec.decode(message)

    assert check_codec(quiet.codec, quiet.to_server) == check_codec(disturbed.codec, disturbed.to_server)


BINARY = [name for name in CODECS if any(isinstance(message, bytes) for message in talk(name).to_server)]


@pytest.mark.parametrize("name", BINARY)
@given(cuts=st.lists(st.integers(0, 2 * len(PCM))), pcm=st.binary(max_size=2 * len(PCM)))
def test_binary_audio_may_be_cut_anywhere(name: str, cuts: list[int], pcm: bytes) -> None:
    whole, cut = talk(name).codec, talk(name).codec
    places = [0, *sorted(cuts), len(pcm)]
    pieces = [pcm[start:end] for start, end in pairwise(places)]

    assert audio_of(whole, [pcm]) == audio_of(cut, pieces)


def audio_of(codec: Codec, said: Iterable[bytes]) -> bytes:
    return b"".join(event.pcm for event in check_codec(codec, said) if isinstance(event, Audio))


@given(said=messages)
def test_detection_names_a_gateway_or_asks_for_more_or_raises_wire_error(said: Message) -> None:
    try:
        found = by_message(said)
    except WireError:
        return

    assert found is None or found in CODECS


@every_gateway
@given(data=st.data())
def test_a_start_with_a_mistake_is_detected_or_not(name: str, data: st.DataObject) -> None:
    try:
        found = by_message(data.draw(mutations(start_of(GATEWAYS[name](), CODECS[name]())[-1])))
    except WireError:
        return

    assert found is None or found in CODECS


@settings(max_examples=20)
@given(chunks=st.lists(st.integers(0, 10**15), min_size=200, max_size=400))
def test_disorder_without_end_is_held_in_bounds(chunks: list[int]) -> None:
    """Telnyx: what waits for its turn is never more than the window."""
    codec = Telnyx(reorder_window=5)
    start_of(GATEWAYS["telnyx"](), codec)
    for chunk in chunks:
        media = {"track": "inbound", "chunk": str(chunk), "payload": "//8="}
        check_codec(codec, [json.dumps({"event": "media", "media": media})])

        assert len(codec._reorder._held) < 5


@every_gateway
def test_marks_without_end_are_held_in_bounds(name: str) -> None:
    """3,000 that never come back."""
    codec = talk(name).codec
    tracemalloc.start()
    for number in range(3000):
        codec.encode(Mark(str(number)))
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held_bytes < 200_000
