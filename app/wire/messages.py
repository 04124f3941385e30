"""The messages of the audio WebSocket: text to frozen values, notices to text. No I/O.

The same objects go over server-sent events and, later, over a data channel. Unknown fields are ignored, so that an
older server understands a newer client; unknown types are mistakes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from providers.audio import Encoding
from session.errors import ErrorCode
from session.notices import (
    Ended,
    ErrorOccurred,
    Notice,
    ReplyCleared,
    ReplyDone,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TranscriptChanged,
)

__all__ = (
    "FRAME_MS",
    "MAX_MESSAGE_BYTES",
    "MAX_TEXT_CHARACTERS",
    "AudioFormat",
    "BadMessage",
    "ClientMessage",
    "Dtmf",
    "Interrupt",
    "Ping",
    "Playout",
    "Start",
    "Stop",
    "TypedText",
    "decode",
    "encode",
    "error",
    "is_too_long",
    "pong",
    "ready",
)

FRAME_MS = 20
MAX_MESSAGE_BYTES = 1 << 20
MAX_TEXT_CHARACTERS = 16_384
"""Of a typed turn or a ``say``: some 20 minutes of speech."""

SampleRate = Literal[8000, 16000, 24000, 48000]


class BadMessage(ValueError):
    """A message that cannot be understood; its text names what was wrong, and never repeats what was sent."""


# --- client to server -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AudioFormat:
    encoding: Encoding
    sample_rate: SampleRate

    def __post_init__(self) -> None:
        if self.encoding != "pcm_s16le" and self.sample_rate != 8000:
            raise ValueError(f"sample_rate of {self.encoding} is 8000")


@dataclass(frozen=True, slots=True)
class Start:
    """The first message. Without an ``output`` the reply comes back in the format of the caller's audio.

    ``echo_cancelled``: the caller's audio is without the echo of what it plays, as browsers can make it.
    """

    type: Literal["start"]
    audio: AudioFormat
    output: AudioFormat | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    session_id: str | None = None
    resume: str | None = None
    echo_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class TypedText:
    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class Dtmf:
    type: Literal["dtmf"]
    digit: Annotated[str, Field(pattern=r"^[0-9*#A-D]$")]


@dataclass(frozen=True, slots=True)
class Interrupt:
    type: Literal["interrupt"]


@dataclass(frozen=True, slots=True)
class Playout:
    type: Literal["playout"]
    played_ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Ping:
    type: Literal["ping"]


@dataclass(frozen=True, slots=True)
class Stop:
    type: Literal["stop"]


ClientMessage = Start | TypedText | Dtmf | Interrupt | Playout | Ping | Stop

_client_message: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])


def is_too_long(text: str) -> bool:
    """Whether ``text`` takes more than ``MAX_MESSAGE_BYTES`` on the wire."""
    if len(text) * 4 <= MAX_MESSAGE_BYTES:
        return False
    return len(text) > MAX_MESSAGE_BYTES or len(text.encode()) > MAX_MESSAGE_BYTES


def decode(text: str) -> ClientMessage:
    """
    :raises BadMessage: naming the field and what it may be.
    """
    try:
        return _client_message.validate_json(text)
    except ValidationError as mistakes:
        raise BadMessage(_explain(mistakes)) from None


def _explain(mistakes: ValidationError) -> str:
    """The first mistake in words: ``start.audio.sample_rate: Input should be 8000, 16000, 24000 or 48000``."""
    first = mistakes.errors(include_url=False, include_input=False)[0]
    kind = first["type"]
    if kind == "json_invalid":
        return "not JSON"
    if kind == "union_tag_not_found":
        return "type is missing"
    if kind == "union_tag_invalid":
        return f"unknown type; one of {first['ctx']['expected_tags']} is allowed"
    path = ".".join(str(part) for part in first["loc"])
    return f"{path}: {first['msg'].removeprefix('Value error, ')}" if path else "not an object"


# --- server to client -------------------------------------------------------------------------------------------


def ready(session_id: str, resume_token: str, audio: AudioFormat) -> str:
    """``audio`` is what the server sends."""
    return _dump(
        type="ready",
        session_id=session_id,
        resume_token=resume_token,
        audio={"encoding": audio.encoding, "sample_rate": audio.sample_rate, "frame_ms": FRAME_MS},
    )


def pong() -> str:
    return _dump(type="pong")


def error(code: ErrorCode, message: str, *, retryable: bool = False, fatal: bool = False) -> str:
    return _dump(type="error", code=code, message=message, retryable=retryable, fatal=fatal)


def encode(notice: Notice) -> str | None:
    """None for what is not for clients: measurements, and what only a phone gateway can do."""
    match notice:
        case StateChanged(state, previous):
            return _dump(type="state", state=state, previous=previous)
        case SpeechStarted(at_ms):
            return _dump(type="speech", event="started", at_ms=at_ms)
        case SpeechStopped(at_ms):
            return _dump(type="speech", event="stopped", at_ms=at_ms)
        case TranscriptChanged():
            return _dump_transcript(notice)
        case ReplyStarted(turn_id):
            return _dump(type="reply", turn_id=turn_id, event="started")
        case ReplyText(turn_id, text):
            return _dump(type="reply", turn_id=turn_id, event="text", text=text)
        case ReplyDone():
            return _dump(
                type="reply",
                turn_id=notice.turn_id,
                event="done",
                text=notice.text,
                heard_text=notice.heard_text,
                interrupted=notice.interrupted,
                latency=asdict(notice.latency),
            )
        case ReplyCleared():
            return _dump(type="clear")
        case ReplyPaused():
            return _dump(type="paused")
        case ReplyResumed():
            return _dump(type="resumed")
        case ErrorOccurred(code, message, retryable, fatal):
            return error(code, message, retryable=retryable, fatal=fatal)
        case Ended(reason):
            return _dump(type="ended", reason=reason)
        case _:
            return None


def _dump_transcript(notice: TranscriptChanged) -> str:
    optional = {"language": notice.language, "confidence": notice.confidence}
    given = {name: value for name, value in optional.items() if value is not None}
    return _dump(type="transcript", turn_id=notice.turn_id, text=notice.text, final=notice.final, **given)


def _dump(**fields: object) -> str:
    """ASCII only: half a surrogate pair, which an agent's JSON may hold, cannot be written in UTF-8."""
    return json.dumps(fields, separators=(",", ":"))
