"""What Genesys sends and takes, as in the types of its reference implementation
(purecloudlabs/audiohook-reference-implementation, app/audiohook/src/protocol/message.ts).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Command,
    Digit,
    Failed,
    HangUp,
    HungUp,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.audiohook import AudioHookGateway

SESSION = "e160e428-53e2-487c-977d-96989bf5c99d"
MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("audiohook", "C1", MULAW, MULAW, stream_id=SESSION, caller="+1", parameters={"name": "John"})
BOTH = {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}


def said(kind: str, seq: int = 1, clientseq: int = 1, **parameters: object) -> str:
    numbers = {"seq": seq, "clientseq": clientseq}
    return json.dumps({"version": "2", "id": SESSION, "type": kind, **numbers, "parameters": parameters})


@pytest.fixture
def gateway() -> AudioHookGateway:
    gateway = AudioHookGateway()
    gateway.encode(Started(CALL))
    return gateway


def test_it_opens_with_what_it_can_send() -> None:
    (message,) = AudioHookGateway().encode(Started(CALL))
    opened: dict[str, Any] = json.loads(str(message))
    channels = [entry["channels"] for entry in opened["parameters"]["media"]]

    assert ("open", 1, 0, "PT0.000S") == tuple(opened[name] for name in ("type", "seq", "serverseq", "position"))
    assert [["external"], ["external", "internal"]] == channels
    assert ("C1", {"name": "John"}) == (opened["parameters"]["conversationId"], opened["parameters"]["inputVariables"])


def test_there_is_no_audio_before_the_session_is_opened(gateway: AudioHookGateway) -> None:
    assert [] == gateway.encode(Audio(bytes(4)))
    gateway.decode(said("opened", startPaused=False, media=[BOTH]))

    assert [b"\xff\xff\xff\xff"] == gateway.encode(Audio(bytes(4)))


def test_the_callers_channel_is_the_one_that_was_chosen() -> None:
    form = SoundFormat("l16le", 8000)
    gateway = AudioHookGateway((("internal", "external"),))
    gateway.encode(Started(PhoneCall("audiohook", "C1", form, form, stream_id=SESSION)))
    gateway.decode(said("opened", media=[{**BOTH, "format": "L16", "channels": ["internal", "external"]}]))

    assert [b"\0\0\1\2"] == gateway.encode(Audio(b"\1\2"))


def test_its_position_is_how_much_it_has_sent(gateway: AudioHookGateway) -> None:
    gateway.decode(said("opened", media=[BOTH]))
    gateway.encode(Audio(bytes(2 * 9872)))
    (message,) = gateway.encode(Digit("1"))
    sent = json.loads(str(message))

    assert ("PT1.234S", 2, 1) == (sent["position"], sent["seq"], sent["serverseq"])


def test_what_it_sends(gateway: AudioHookGateway) -> None:
    events = (Digit("1"), Failed("429: slow down", retry_after_ms=3250), HungUp())
    messages = [json.loads(str(message)) for event in events for message in gateway.encode(event)]
    messages.append(json.loads(str(gateway.ping())))

    assert [
        ("dtmf", {"digit": "1"}),
        ("error", {"code": 429, "message": "slow down", "retryAfter": "PT3.25S"}),
        ("close", {"reason": "end"}),
        ("ping", {}),
    ] == [(message["type"], message["parameters"]) for message in messages]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (said("event", entities=[{"type": "barge_in", "data": {}}]), [Clear()]),
        (said("event", entities=[{"type": "transcript", "data": {}}]), []),
        (said("disconnect", reason="completed", outputVariables={}), [HangUp()]),
        (said("pong"), []),
        (said("closed"), []),
        (said("updated"), []),
        (b"\xff", [Speak(bytes(2))]),
    ],
)
def test_what_it_takes(gateway: AudioHookGateway, message: str | bytes, expected: list[Command]) -> None:
    assert expected == gateway.decode(message)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (said("pong", 2), "seq: is not the next"),
        (said("pong", 1, 7), "clientseq: was never sent"),
        (said("pong").replace('"2"', '"1"'), "version: expected 2"),
        (said("pong").replace(SESSION, "other"), "id: is of another session"),
        (said("opened", media=[BOTH, BOTH]), "parameters.media: expected one"),
        (said("opened", media=[{**BOTH, "channels": ["internal"]}]), "parameters.media: was not offered"),
        (said("disconnect", reason="bored"), "parameters.reason: expected one of completed, unauthorized, error"),
        (said("open"), "type: unknown"),
    ],
)
def test_it_does_not_understand(gateway: AudioHookGateway, message: str, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)
