"""Asterisk's chan_websocket: https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/

Audio is binary; what is said about it is a line of text or, from Asterisk 20.18, 22.8 and 23.2 on, JSON, as the call is
configured. The first byte of the first message tells. Asterisk queues up to 20 s, paces them, and says when to stop
sending. There is no message for the end: the socket closes.
"""

from __future__ import annotations

import json
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Abilities,
    Clear,
    Cleared,
    Command,
    Continue,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    Mark,
    Message,
    Pause,
    PhoneCall,
    Respond,
    SendDigits,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields, json_object, text_of
from app.wire.phone.marks import Marks

__all__ = ("Asterisk",)

MAX_BINARY_BYTES = 65_500
"""A longer message closes the call."""

MAX_WORDS = 64
MAX_CHARACTERS = 200
"""Of what Asterisk says of an error."""

FORMATS = {
    "ulaw": SoundFormat("mulaw", 8000),
    "alaw": SoundFormat("alaw", 8000),
    "g722": SoundFormat("g722", 16_000),
    # In the order of Asterisk's own machine, which is little-endian on all that it is built for today.
    "slin": SoundFormat("l16le", 8000),
    "slin12": SoundFormat("l16le", 12_000),
    "slin16": SoundFormat("l16le", 16_000),
    "slin24": SoundFormat("l16le", 24_000),
    "slin32": SoundFormat("l16le", 32_000),
    "slin48": SoundFormat("l16le", 48_000),
}


class Asterisk:
    """
    :param answers: whether to answer the channel, where the dial string has told Asterisk not to (``n``).
    """

    name: ClassVar[str] = "asterisk"
    subprotocols: ClassVar[tuple[str, ...]] = ("media",)

    def __init__(self, *, answers: bool = False) -> None:
        self.abilities = Abilities(marks=True, pause=True, hang_up=True)
        self._answers = answers
        self._audio = CallAudio()
        self._marks = Marks()
        self._json = False
        self._frame_bytes = 1

    def decode(self, message: Message) -> list[Event]:
        if isinstance(message, bytes):
            return self._audio.heard(message)
        as_json = text_of(message).startswith("{")
        fields = json_object(message) if as_json else _plain(message)
        match fields.text("event"):
            case "MEDIA_START":
                return self._start(fields, as_json=as_json)
            case "DTMF_END":
                return [Digit(fields.digit("digit"))]
            case "MEDIA_XOFF":
                return [FlowChanged(open=False)]
            case "MEDIA_XON":
                return [FlowChanged(open=True)]
            case "MEDIA_MARK_PROCESSED":
                return [self._marks.reached(fields.text("correlation_id"))]
            case "QUEUE_DRAINED":
                return [Cleared()]
            case "ERROR":
                return [Failed(fields.text("error_text")[:MAX_CHARACTERS])]
            case "STATUS" | "MEDIA_BUFFERING_COMPLETED":
                return []
            case _:
                raise WireError("event: unknown")

    def encode(self, command: Command) -> list[Message]:
        self._audio.must_have_started()
        match command:
            case Speak(pcm):
                return self._speak(self._audio.spoken(pcm))
            case Mark(name):
                self._marks.ask(name)
                return [self._command("MARK_MEDIA", name)]
            case Clear():
                self._marks.clear()
                # The report comes when the queue is empty, as it is after the flush, which has no report of its own.
                return [self._command("REPORT_QUEUE_DRAINED"), self._command("FLUSH_MEDIA")]
            case Pause():
                return [self._command("PAUSE_MEDIA")]
            case Continue():
                return [self._command("CONTINUE_MEDIA")]
            case HangUp():
                return [self._command("HANGUP")]
            case SendDigits():
                return []
            case _:
                assert_never(command)

    def _start(self, fields: Fields, *, as_json: bool) -> list[Event]:
        form = fields.one_of("format", FORMATS)
        frame_bytes = fields.whole("optimal_frame_size")
        if not 0 < frame_bytes <= MAX_BINARY_BYTES:
            fields.fail("optimal_frame_size", f"expected 1 to {MAX_BINARY_BYTES}")
        call = PhoneCall(
            gateway=self.name,
            call_id=fields.text("channel_id", "") or fields.text("channel"),
            stream_id=fields.text("connection_id"),
            input=form,
            output=form,
            parameters=fields.parameters("channel_variables"),
        )
        events = self._audio.start(call)
        self._json, self._frame_bytes = as_json, frame_bytes
        return [*events, Respond(self._command("ANSWER"))] if self._answers else events

    def _speak(self, data: bytes) -> list[Message]:
        most = MAX_BINARY_BYTES // self._frame_bytes * self._frame_bytes
        pieces: list[Message] = [data[at : at + most] for at in range(0, len(data), most)]
        if len(data) % self._frame_bytes == 0:
            return pieces
        # Without the brackets the part of a frame would be dropped; with them it is filled up with silence.
        return [self._command("START_MEDIA_BUFFERING"), *pieces, self._command("STOP_MEDIA_BUFFERING")]

    def _command(self, name: str, correlation_id: str | None = None) -> str:
        given = {} if correlation_id is None else {"correlation_id": correlation_id}
        if self._json:
            return json.dumps({"command": name, **given})
        return " ".join([name, *given.values()])


def _plain(message: Message) -> Fields:
    """``EVENT name:value name:value``, or ``EVENT id``. The text of an error goes on to the end."""
    line, _, error_text = text_of(message).partition(" error_text:")
    event, *words = line.split()[:MAX_WORDS] or [""]
    pairs = [word.partition(":") for word in words]
    named = {name: value for name, colon, value in pairs if colon}
    ids = [name for name, colon, _ in pairs if not colon]
    return Fields({"correlation_id": " ".join(ids), **named, "event": event, "error_text": error_text})
