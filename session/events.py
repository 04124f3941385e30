"""What can happen to a session. Facts, frozen; the time at which they happen is the other argument of ``handle``.

Events that answer a command carry the number of its ``job``. A job that was cancelled or is finished is not known any
more, and an event of it is dropped at the engine's door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from providers.api import ActionKind, WordTiming
from session.config import SayOptions
from session.notices import EndReason

__all__ = (
    "AgentDid",
    "AgentFinished",
    "AgentSaid",
    "Attached",
    "Detached",
    "DtmfPressed",
    "Event",
    "Failed",
    "Heard",
    "HungUp",
    "InterruptAsked",
    "Judged",
    "Played",
    "Ponged",
    "RoomChanged",
    "SayAsked",
    "SayCancelled",
    "Spoken",
    "SpokenWhole",
    "Stage",
    "Started",
    "Transcribed",
    "Typed",
)

Stage = Literal["stt", "turn", "agent", "tts"]


@dataclass(frozen=True, slots=True)
class Started:
    """``start()``. ``greeting`` is said at once; without one the agent is told, and may greet."""

    greeting: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """The next ``span_ms`` of the caller's audio, and how likely it is speech, 0 to 1.

    ``arrived_ms``: when its last sample arrived, on the session's clock; the verdict on it may come later.
    ``line_echoes``: the line returns our voice, and a moment of it may still come through.
    """

    span_ms: int
    probability: float
    arrived_ms: int
    line_echoes: bool = False


@dataclass(frozen=True, slots=True)
class Transcribed:
    """Cumulative over the job; each final answers one ``Finalise``, in order."""

    job: int
    text: str
    final: bool
    language: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The turn detector's probability, 0 to 1, that the user has finished."""

    job: int
    probability: float


@dataclass(frozen=True, slots=True)
class AgentSaid:
    job: int
    delta: str


@dataclass(frozen=True, slots=True)
class AgentDid:
    job: int
    action: ActionKind
    to: str | None = None
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class AgentFinished:
    job: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """``samples`` more of the piece exist, at the output rate, queued behind what came before."""

    job: int
    samples: int
    words: tuple[WordTiming, ...] = ()


@dataclass(frozen=True, slots=True)
class SpokenWhole:
    job: int


@dataclass(frozen=True, slots=True)
class Failed:
    """``jitter``, 0 to 1, spreads the retries of many sessions: the engine has no chance of its own."""

    job: int
    message: str
    retryable: bool
    jitter: float = 1.0


@dataclass(frozen=True, slots=True)
class Played:
    """The playout position of a reply, in samples from its start: handed to the transport, and heard."""

    turn_id: str
    sent_samples: int
    heard_samples: int


@dataclass(frozen=True, slots=True)
class Typed:
    text: str


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    digits: str


@dataclass(frozen=True, slots=True)
class SayAsked:
    utterance_id: str
    text: str
    options: SayOptions


@dataclass(frozen=True, slots=True)
class SayCancelled:
    utterance_id: str


@dataclass(frozen=True, slots=True)
class InterruptAsked:
    pass


@dataclass(frozen=True, slots=True)
class HungUp:
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Ponged:
    """The listener's end has answered a ``Ping``."""


@dataclass(frozen=True, slots=True)
class Detached:
    """The connection is gone and may come back: until ``Attached`` nobody hears anything."""


@dataclass(frozen=True, slots=True)
class Attached:
    pass


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """Whether the listener's buffer takes more audio: while it does not, a reply stands still, and is not stuck."""

    has_room: bool


Event = (
    Started
    | Heard
    | Transcribed
    | Judged
    | AgentSaid
    | AgentDid
    | AgentFinished
    | Spoken
    | SpokenWhole
    | Failed
    | Played
    | Typed
    | DtmfPressed
    | SayAsked
    | SayCancelled
    | InterruptAsked
    | HungUp
    | Ponged
    | Detached
    | Attached
    | RoomChanged
)
