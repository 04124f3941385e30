"""Genesys Cloud's AudioHook protocol, version 2, as its Audio Connector speaks it:
https://developer.genesys.cloud/devapps/audiohook/

JSON in an envelope that numbers it both ways, and binary audio in µ-law or linear PCM at 8 kHz: the caller
(``external``) alone, or interleaved with the agent (``internal``). What we send is the one channel that the caller
hears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Abilities,
    Clear,
    Command,
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
    SoundEncoding,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields, json_object

__all__ = ("AudioHook",)

# Linear PCM is little-endian in Genesys' reference implementation, which reads it in the order of its machine.
ENCODINGS: dict[str, SoundEncoding] = {"PCMU": "mulaw", "L16": "l16le"}
RATE_HZ = 8000
MAX_CHARACTERS = 200
"""Of what Genesys says of an error."""

CHANNELS = (["external"], ["external", "internal"], ["internal", "external"])
OTHERS = ("ping", "close", "update", "discarded", "paused", "resumed", "playback_started", "playback_completed")
NOBODY = "00000000-0000-0000-0000-000000000000"
DURATION = re.compile(r"PT(\d{1,6})(?:\.(\d{1,3})\d{0,9})?S", re.ASCII)


class AudioHook:
    """Few and large packets: with many small ones Genesys answers 429. It has no marks.

    A probe of the connection, a conversation that is nobody's, is answered and starts no call.
    """

    name: ClassVar[str] = "audiohook"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, packet_ms: int = 200) -> None:
        self.abilities = Abilities(hang_up=True, packet_ms=packet_ms)
        self._audio = CallAudio()
        self._session = ""
        self._is_probe = False
        self._sent = 0
        self._received = 0

    def decode(self, message: Message) -> list[Event]:
        if isinstance(message, bytes):
            return [] if self._is_probe else self._audio.heard(message)
        fields = json_object(message)
        number, parameters = self._envelope(fields), fields.object("parameters")
        kind = fields.text("type")
        match kind:
            case "open":
                return self._open(fields.text("id"), number, parameters)
            case "dtmf":
                events: list[Event] = [Digit(parameters.digit("digit"))]
            case "error":
                events = [_failure(parameters)]
            case _ if kind in OTHERS:
                events = []
            case _:
                raise WireError("type: unknown")
        self._received = number
        return events + self._answer(kind)

    def encode(self, command: Command) -> list[Message]:
        self._audio.must_have_started()
        match command:
            case Speak(pcm):
                data = self._audio.spoken(pcm)
                return [data] if data else []
            case Clear():
                return [self._message("event", entities=[{"type": "barge_in", "data": {}}])]
            case HangUp():
                return [self._message("disconnect", reason="completed", outputVariables={})]
            case Mark() | Pause() | Continue() | SendDigits():
                return []
            case _:
                assert_never(command)

    def _envelope(self, fields: Fields) -> int:
        """The message's number, if it is of this session."""
        if fields.text("version") != "2":
            fields.fail("version", "expected 2")
        if self._session and fields.text("id") != self._session:
            fields.fail("id", "is of another session")
        if not self._session and fields.text("type") != "open":
            fields.fail("type", "expected open first")
        return fields.whole("seq")

    def _open(self, session: str, number: int, parameters: Fields) -> list[Event]:
        if self._session:
            raise WireError("a second start")
        form, channels, entry = _choose(parameters.objects("media"))
        participant = parameters.object("participant")
        conversation = parameters.text("conversationId")
        events: list[Event] = []
        if conversation == participant.text("id", "") == NOBODY:
            self._is_probe = True
        else:
            given = {**parameters.parameters("customConfig"), **parameters.parameters("inputVariables")}
            call = PhoneCall(
                gateway=self.name,
                call_id=conversation,
                stream_id=session,
                input=form,
                output=form,
                caller=participant.optional_text("ani"),
                callee=participant.optional_text("dnis"),
                parameters=given,
            )
            events = self._audio.start(call, len(channels), channels.index("external"))
        self._session, self._received = session, number
        return [Respond(self._message("opened", startPaused=False, media=[entry])), *events]

    def _answer(self, kind: str) -> list[Event]:
        match kind:
            case "ping":
                return [Respond(self._message("pong"))]
            case "update":
                return [Respond(self._message("updated"))]
            case "close":
                return [Respond(self._message("closed")), HungUp()]
            case _:
                return []

    def _message(self, kind: str, **parameters: object) -> str:
        self._sent += 1
        numbers = {"seq": self._sent, "clientseq": self._received}
        return json.dumps({"version": "2", "id": self._session, "type": kind, **numbers, "parameters": parameters})


def _choose(media: list[Fields]) -> tuple[SoundFormat, list[str], Mapping[str, object]]:
    """The entry with the fewest channels among those that have the caller, and that entry as it was."""
    usable = []
    for each in media:
        encoding, channels = ENCODINGS.get(each.text("format")), each.texts("channels")
        if each.text("type") == "audio" and encoding and each.whole("rate") == RATE_HZ and channels in CHANNELS:
            usable.append((SoundFormat(encoding, RATE_HZ), channels, each.as_it_was()))
    if not usable:
        raise WireError("parameters.media: none has PCMU or L16 at 8000 with the external channel")
    return min(usable, key=lambda entry: len(entry[1]))


def _failure(parameters: Fields) -> Failed:
    wait = DURATION.fullmatch(parameters.text("retryAfter", ""))
    retry_after_ms = int(wait[1]) * 1000 + int((wait[2] or "").ljust(3, "0")) if wait else None
    return Failed(f"{parameters.whole('code')}: {parameters.text('message', '')[:MAX_CHARACTERS]}", retry_after_ms)
