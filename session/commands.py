"""What a session asks for: imperatives, frozen, to be carried out in order.

``Feed``, ``JudgeTurn``, ``Ask`` and ``Say`` open a job; ``Cancel`` closes any job, and nothing of it is heard again.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.api import AgentEvent, Message
from session.config import SayOptions
from session.notices import EndReason, Notice

__all__ = (
    "Ask",
    "Cancel",
    "Clear",
    "Command",
    "End",
    "Feed",
    "Finalise",
    "JudgeTurn",
    "Notify",
    "Pause",
    "Ping",
    "Play",
    "Rewind",
    "Say",
    "Tell",
)


@dataclass(frozen=True, slots=True)
class Feed:
    """Open a transcription and feed it the pre-roll and every frame from now on.

    ``again``: the one before failed; feed the whole utterance once more, as far as it is kept. ``back_ms``: instead of
    the pre-roll, the last so many ms of the utterance before, in which its speaker went on.
    """

    job: int
    turn_id: str
    again: bool = False
    back_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Finalise:
    """``in_speech``: the user goes on, and the rest is for another job."""

    job: int
    in_speech: bool = False


@dataclass(frozen=True, slots=True)
class JudgeTurn:
    job: int
    turn_id: str
    text: str
    language: str | None
    history: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    job: int
    turn_id: str
    type: AgentEvent
    transcript: str = ""
    preemptive: bool = False
    replaces: str | None = None
    language: str | None = None
    digits: str | None = None
    times_away: int | None = None
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the agent; nothing is said in answer and nothing fails."""

    type: AgentEvent
    turn_id: str = ""
    heard_text: str | None = None
    reason: str | None = None
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """Synthesise one piece; its audio is queued for playout behind what came before."""

    job: int
    turn_id: str
    text: str
    options: SayOptions


@dataclass(frozen=True, slots=True)
class Play:
    """Let the audio of this turn's reply flow, what is queued and what comes."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing more; keep what is queued."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """While paused: what was sent and not heard is to be sent again, for it has not arrived."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is queued, and hold until the next ``Play``, whose positions start at 0 again.

    ``at_listener``: also what was sent and may not have been heard yet.
    """

    at_listener: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    job: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask the listener's end for a sign of life; ``Ponged`` is the answer."""


@dataclass(frozen=True, slots=True)
class Tell:
    notice: Notice


@dataclass(frozen=True, slots=True)
class End:
    reason: EndReason


Command = Feed | Finalise | JudgeTurn | Ask | Notify | Say | Play | Pause | Rewind | Clear | Cancel | Ping | Tell | End
