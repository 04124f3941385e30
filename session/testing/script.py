"""What a scripted caller does, one act after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from session.aio.voice_session import VoiceSession

__all__ = ("Act", "Does", "HangsUp", "Hears", "Listens", "Pauses", "Presses", "Says", "Types")


@dataclass(frozen=True, slots=True)
class Says:
    """Speaks at once, a word every 300 ms, whether or not the agent speaks too; over when the last word is."""

    text: str


@dataclass(frozen=True, slots=True)
class Pauses:
    """Is silent for so long, whatever the agent does."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Listens:
    """Is silent until they have been answered and the agent has said all it had to say.

    ``limit_s``: ``TimeoutError`` when it takes longer.
    """

    limit_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Hears:
    """Is silent until so much of a reply has been playing; what comes next breaks into it.

    ``limit_s``: ``TimeoutError`` when no reply has begun by then.
    """

    for_s: float = 0.0
    limit_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Types:
    text: str


@dataclass(frozen=True, slots=True)
class Presses:
    """Keys of a telephone."""

    digits: str


@dataclass(frozen=True, slots=True)
class Does:
    """What the program around the session would do: ``Does(lambda session: session.say("One moment."))``."""

    action: Callable[[VoiceSession], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class HangsUp:
    """At once. Every script ends with it, after a last ``Listens``, when it does not say so itself."""


Act = Says | Pauses | Listens | Hears | Types | Presses | Does | HangsUp | str
"""A plain text is short for ``Says`` it, then ``Listens``."""
