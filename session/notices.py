"""What a session tells the world: facts, frozen, in the order in which they happened.

Clients see them as the messages of the wire, operators as metrics, log lines and spans. ``turn_id`` numbers the turns
of a session from "1" on; a reply that nobody asked for (a greeting, ``say``) is a turn too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from session.errors import ErrorCode
from session.states import SessionState

__all__ = (
    "AgentActed",
    "DraftJudged",
    "EndReason",
    "Ended",
    "ErrorOccurred",
    "InterruptionJudged",
    "Latency",
    "Notice",
    "ProviderCalled",
    "RepairKind",
    "Repaired",
    "ReplyCleared",
    "ReplyDone",
    "ReplyPaused",
    "ReplyResumed",
    "ReplyStarted",
    "ReplyText",
    "SpeechStarted",
    "SpeechStopped",
    "StateChanged",
    "TranscriptChanged",
    "TurnDone",
    "TurnOutcome",
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Where the time of a turn went. None: that stage did not take part.

    ``endpoint_ms``: last voiced sample to end of turn. ``stt_ms``: final transcript asked for to received.
    ``agent_ms``: agent asked to its first text. ``tts_ms``: first piece sent to synthesis to its first audio.
    ``response_ms``: last voiced sample to the first frame of the reply sent. They overlap, so they do not add up.
    """

    endpoint_ms: int | None = None
    stt_ms: int | None = None
    agent_ms: int | None = None
    tts_ms: int | None = None
    response_ms: int | None = None


class EndReason(StrEnum):
    CLIENT = "client"
    AGENT = "agent"
    TIMEOUT = "timeout"
    ERROR = "error"
    SERVER_SHUTDOWN = "server_shutdown"
    DELETED = "deleted"


class TurnOutcome(StrEnum):
    ANSWERED = "answered"
    INTERRUPTED = "interrupted"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: SessionState
    previous: SessionState


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """``at_ms``: the position in the caller's audio, from the start of the session."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    at_ms: int


@dataclass(frozen=True, slots=True)
class TranscriptChanged:
    """Interims replace each other; ``final`` comes once a turn, when the turn is over."""

    turn_id: str
    text: str
    final: bool
    language: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The reply has its first words; they are heard as soon as they are synthesised. A ``ReplyDone`` will follow."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of the reply as it will be spoken; the pieces joined by a space are the reply."""

    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """``heard_text`` is a prefix of ``text``; both are what was spoken, without markup."""

    turn_id: str
    text: str
    heard_text: str
    interrupted: bool
    latency: Latency
    utterance_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReplyCleared:
    """The client drops what it has buffered: the user took the floor."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    turn_id: str


@dataclass(frozen=True, slots=True)
class InterruptionJudged:
    """``committed``: the user took the floor; else the reply went on. ``stop_ms``: onset of their speech to the last
    frame of the reply sent."""

    committed: bool
    stop_ms: int | None


@dataclass(frozen=True, slots=True)
class DraftJudged:
    """An answer that was asked for before the turn was over is used, or was made in vain."""

    used: bool


@dataclass(frozen=True, slots=True)
class TurnDone:
    """A turn of the user's is over, in one of four ways."""

    turn_id: str
    outcome: TurnOutcome
    latency: Latency = field(default_factory=Latency)


@dataclass(frozen=True, slots=True)
class ErrorOccurred:
    code: ErrorCode
    message: str
    retryable: bool
    fatal: bool


@dataclass(frozen=True, slots=True)
class AgentActed:
    """The agent asked for something that the session cannot do itself: ``transfer`` or ``dtmf``."""

    turn_id: str
    action: str
    to: str | None = None
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderCalled:
    """One request to a provider is over. ``latency_ms``: to its first result. ``error``: the provider's error code."""

    kind: Literal["stt", "tts", "turn", "agent"]
    provider: str
    latency_ms: int
    error: str | None = None


RepairKind = Literal["audio_gap", "final", "agent", "tts", "playout", "hold", "turn", "reply"]
"""What did not come, or did not end, by itself: the caller's audio, the final transcript, the agent's text, the voice's
audio, the playout, a sound without words; and a turn or a reply in which nothing moved at all."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Something did not happen within its limit, and the session went on without it."""

    what: RepairKind


@dataclass(frozen=True, slots=True)
class Ended:
    reason: EndReason


Notice = (
    StateChanged
    | SpeechStarted
    | SpeechStopped
    | TranscriptChanged
    | ReplyStarted
    | ReplyText
    | ReplyDone
    | ReplyCleared
    | ReplyPaused
    | ReplyResumed
    | InterruptionJudged
    | DraftJudged
    | TurnDone
    | ErrorOccurred
    | AgentActed
    | ProviderCalled
    | Repaired
    | Ended
)
