"""Messages as in https://developer.genesys.cloud/devapps/audiohook/ and the types of Genesys' reference implementation
(purecloudlabs/audiohook-reference-implementation, app/audiohook/src/protocol/message.ts).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Continue,
    Digit,
    Event,
    Failed,
    HangUp,
    HungUp,
    Mark,
    Message,
    Pause,
    PhoneCall,
    Respond,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.audiohook import AudioHook

SESSION = "e160e428-53e2-487c-977d-96989bf5c99d"
CONVERSATION = "090eaa2f-72fa-480a-83e0-8667ff89c0ec"
NOBODY = "00000000-0000-0000-0000-000000000000"
EXTERNAL = {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}
INTERNAL = {"type": "audio", "format": "PCMU", "channels": ["internal"], "rate": 8000}
BOTH = {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}
OPEN: dict[str, Any] = {
    "organizationId": "d7934305-0972-4844-938e-9060eef73d05",
    "conversationId": CONVERSATION,
    "participant": {
        "id": "883efee8-3d6c-4537-b500-6d7ca4b92fa0",
        "ani": "+1-555-555-1234",
        "aniName": "John Doe",
        "dnis": "+1-800-555-6789",
    },
    "media": [BOTH, EXTERNAL, INTERNAL],
    "language": "en-US",
    "customConfig": {"plan": "gold"},
    "inputVariables": {"name": "John"},
}
MULAW = SoundFormat("mulaw", 8000)


def message(kind: str, seq: int = 2, **parameters: object) -> str:
    numbers = {"seq": seq, "serverseq": 1, "position": "PT1.234S"}
    return json.dumps({"version": "2", "id": SESSION, "type": kind, **numbers, "parameters": parameters})


def sent(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.message) for event in events if isinstance(event, Respond)]


@pytest.fixture
def hook() -> AudioHook:
    codec = AudioHook()
    codec.decode(message("open", 1, **OPEN))
    return codec


def test_an_open_is_answered_with_the_entry_that_has_the_caller_alone() -> None:
    (opened,) = sent(AudioHook().decode(message("open", 1, **OPEN)))

    assert {
        "version": "2",
        "id": SESSION,
        "type": "opened",
        "seq": 1,
        "clientseq": 1,
        "parameters": {"startPaused": False, "media": [EXTERNAL]},
    } == opened


def test_an_open_tells_of_the_call() -> None:
    call = PhoneCall(
        gateway="audiohook",
        call_id=CONVERSATION,
        stream_id=SESSION,
        input=MULAW,
        output=MULAW,
        caller="+1-555-555-1234",
        callee="+1-800-555-6789",
        parameters={"plan": "gold", "name": "John"},
    )

    assert Started(call) in AudioHook().decode(message("open", 1, **OPEN))


@pytest.mark.parametrize(
    ("channels", "data"),
    [
        (["external"], b"\xff\x80"),
        (["external", "internal"], b"\xff\x00\x80\x00"),
        (["internal", "external"], b"\x00\xff\x00\x80"),
    ],
)
def test_the_caller_is_heard_whatever_the_channels(channels: list[str], data: bytes) -> None:
    alone, codec = AudioHook(), AudioHook()
    alone.decode(message("open", 1, **OPEN))
    codec.decode(message("open", 1, **{**OPEN, "media": [{**BOTH, "channels": channels}]}))

    assert alone.decode(b"\xff\x80") == codec.decode(data)


def test_linear_audio_is_little_endian() -> None:
    codec = AudioHook()
    codec.decode(message("open", 1, **{**OPEN, "media": [{**EXTERNAL, "format": "L16"}]}))

    assert [Audio(b"\1\2")] == codec.decode(b"\1\2")
    assert [b"\1\2"] == codec.encode(Speak(b"\1\2"))


def test_a_probe_of_the_connection_is_answered_and_is_no_call() -> None:
    codec = AudioHook()
    participant = {**OPEN["participant"], "id": NOBODY}
    events = codec.decode(message("open", 1, **{**OPEN, "conversationId": NOBODY, "participant": participant}))
    events += codec.decode(b"\xff") + codec.decode(message("close", 2, reason="end"))

    assert ["opened", "closed"] == [each["type"] for each in sent(events)]
    assert [HungUp()] == [event for event in events if not isinstance(event, Respond)]


@pytest.mark.parametrize(
    ("said", "answer", "expected"),
    [
        (message("ping", rtt="PT0.02S"), "pong", []),
        (message("update", language="en-US"), "updated", []),
        (message("close", reason="end"), "closed", [HungUp()]),
        (message("dtmf", digit="#"), None, [Digit("#")]),
        (message("discarded", start="PT1S", discarded="PT2S"), None, []),
        (message("paused"), None, []),
        (message("resumed", start="PT1S", discarded="PT2S"), None, []),
        (message("playback_started"), None, []),
        (message("playback_completed"), None, []),
        (message("error", code=409, message="conflict"), None, [Failed("409: conflict")]),
        (
            message("error", code=429, message="slow down", retryAfter="PT3.25S"),
            None,
            [Failed("429: slow down", retry_after_ms=3250)],
        ),
    ],
)
def test_what_genesys_sends(hook: AudioHook, said: str, answer: str | None, expected: list[Event]) -> None:
    events = hook.decode(said)

    assert expected == [event for event in events if not isinstance(event, Respond)]
    assert [answer] * bool(answer) == [each["type"] for each in sent(events)]


def test_messages_are_numbered_and_tell_the_last_that_was_received(hook: AudioHook) -> None:
    numbers = [(each["seq"], each["clientseq"]) for each in sent(hook.decode(message("ping", 2)))]
    hook.decode(message("dtmf", 3, digit="1"))
    numbers += [(each["seq"], each["clientseq"]) for each in map(json.loads, hook.encode(Clear()))]

    assert [(2, 2), (3, 3)] == numbers


def test_a_message_that_is_not_understood_is_not_counted(hook: AudioHook) -> None:
    with pytest.raises(WireError):
        hook.decode(message("dtmf", 9, digit="x"))
    (pong,) = sent(hook.decode(message("ping", 2)))

    assert 2 == pong["clientseq"]


def test_what_genesys_is_sent(hook: AudioHook) -> None:
    clear, hang_up = (json.loads(each) for command in (Clear(), HangUp()) for each in hook.encode(command))

    assert ("event", {"entities": [{"type": "barge_in", "data": {}}]}) == (clear["type"], clear["parameters"])
    assert ("disconnect", {"reason": "completed", "outputVariables": {}}) == (hang_up["type"], hang_up["parameters"])
    assert [b"\xff" * 1600] == hook.encode(Speak(bytes(3200)))


@pytest.mark.parametrize("command", [Mark("1"), Pause(), Continue(), SendDigits("1")])
def test_there_is_no_message_for_what_a_session_cannot_do(
    hook: AudioHook, command: Mark | Pause | Continue | SendDigits
) -> None:
    assert [] == hook.encode(command)


def test_packets_are_few_and_large() -> None:
    assert 200 == AudioHook().abilities.packet_ms


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        (message("ping"), "type: expected open first"),
        (message("open", 1, **{**OPEN, "media": []}), "parameters.media: none has PCMU or L16 at 8000"),
        (message("open", 1, **{**OPEN, "media": [INTERNAL]}), "parameters.media: none has PCMU or L16 at 8000"),
        (message("open", 1, **{**OPEN, "media": [{**EXTERNAL, "rate": "8k"}]}), "parameters.media.0.rate: expected"),
        (message("open", 1, **{**OPEN, "conversationId": 1}), "parameters.conversationId: expected text"),
        (message("open", 1).replace('"2"', '"3"'), "version: expected 2"),
        (b"\xff", "audio before the start"),
    ],
)
def test_a_mistake_is_named(said: Message, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        AudioHook().decode(said)

    assert str(caught.value).startswith(mistake)


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        (message("open", 2, **OPEN), "a second start"),
        (message("ping").replace(SESSION, NOBODY), "id: is of another session"),
        (message("pong"), "type: unknown"),
        (message("ping").replace('"seq": 2', '"seq": "two"'), "seq: expected a whole number"),
        (message("error", message="?"), "code: is missing"),
    ],
)
def test_a_mistake_in_a_session_is_named(hook: AudioHook, said: str, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        hook.decode(said)

    assert str(caught.value).removeprefix("parameters.").startswith(mistake)
