"""Every setting of a session, its default and its range.

A duration is given as a number of seconds, a ``timedelta``, or a string such as ``500ms``, ``30s``, ``5m``, ``1h``.
It is kept as it was given; beside it, as ``timeout_ms`` and so on, are the whole milliseconds that the engine reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, get_args, runtime_checkable

from session.errors import ErrorCode, SessionError

__all__ = (
    "Chunking",
    "Duration",
    "Endpointing",
    "Interruption",
    "Preemptive",
    "SayOptions",
    "SessionConfig",
    "duration_ms",
)

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)\s*")

BACKCHANNELS = (
    "ah",
    "aha",
    "alright",
    "good",
    "got it",
    "great",
    "hm",
    "hmm",
    "i see",
    "mhm",
    "mm",
    "mm hmm",
    "nice",
    "oh",
    "okay",
    "ok",
    "really",
    "right",
    "sure",
    "uh",
    "uh huh",
    "um",
    "wow",
    "yeah",
    "yep",
    "yes",
)


@runtime_checkable
class _TimeDelta(Protocol):
    """``datetime.timedelta`` by its shape: the engine imports no clock, nor the module that has one."""

    def total_seconds(self) -> float: ...


Duration = float | int | str | _TimeDelta


def duration_ms(value: Duration) -> int:
    """Whole milliseconds, rounded to the nearest.

    :raises ValueError: when it is not a duration.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not a duration such as 500ms, 30s, 5m or 1h")
        return round(float(match[1]) * _UNITS_MS[match[2]])
    if isinstance(value, bool):
        return _refuse(value)
    if isinstance(value, int | float):
        return round(value * 1000) if abs(value) < 1e12 else _refuse(value)
    if isinstance(value, _TimeDelta):
        return round(value.total_seconds() * 1000)
    return _refuse(value)


def _refuse(value: object) -> int:
    raise ValueError(f"{value!r} is not a duration")


def _invalid(name: str, given: object, allowed: str) -> SessionError:
    return SessionError(
        "config",
        ErrorCode.INVALID_CONFIG,
        f"{name} is {given!r}, allowed is {allowed}",
        details={"field": name, "given": given, "allowed": allowed},
    )


def _check_duration(name: str, given: Duration, least: str, most: str) -> int:
    allowed = f"{least} to {most}"
    try:
        ms = duration_ms(given)
    except (ValueError, OverflowError):
        raise _invalid(name, given, f"a duration, {allowed}") from None
    if not duration_ms(least) <= ms <= duration_ms(most):
        raise _invalid(name, given, allowed)
    return ms


def _check_whole(name: str, given: int, least: int, most: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise _invalid(name, given, f"a whole number, {least} to {most}")


def _check_number(name: str, given: float, least: float, most: float) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise _invalid(name, given, f"{least:g} to {most:g}")


def _check_flag(name: str, given: object) -> None:
    if not isinstance(given, bool):
        raise _invalid(name, given, "true or false")


def _check_choice(name: str, given: str, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise _invalid(name, given, ", ".join(choices))


Combine = Literal["and", "or"]
Strategy = Literal["discard", "use_if_similar", "always_use"]
ChunkStrategy = Literal["sequential", "parallel", "streaming"]


@dataclass(frozen=True)
class Interruption:
    """When the user takes the floor from a reply.

    Speech of ``pause_after`` pauses it; ``words`` and ``duration`` (either, where ``combine`` is ``or``) commit the
    interruption; silence of ``resume_after``, or nothing but ``backchannels``, lets the reply go on. A reply is safe
    for its first ``protect_first``.
    """

    enabled: bool = True
    words: int = 3
    duration: Duration = 0.5
    combine: Combine = "and"
    pause_after: Duration = 0.2
    resume_after: Duration = 1.0
    protect_first: Duration = 0.0
    backchannels: tuple[str, ...] = BACKCHANNELS

    def __post_init__(self) -> None:
        _check_flag("interruption.enabled", self.enabled)
        _check_whole("interruption.words", self.words, 0, 100)
        _check_choice("interruption.combine", self.combine, get_args(Combine))
        _check_duration("interruption.duration", self.duration, "0ms", "10s")
        _check_duration("interruption.pause_after", self.pause_after, "0ms", "5s")
        _check_duration("interruption.resume_after", self.resume_after, "0ms", "10s")
        _check_duration("interruption.protect_first", self.protect_first, "0ms", "60s")
        listed = isinstance(self.backchannels, Collection) and not isinstance(self.backchannels, str)
        if not listed or not all(isinstance(phrase, str) for phrase in self.backchannels):
            raise _invalid("interruption.backchannels", self.backchannels, "a list of strings")

    @cached_property
    def duration_ms(self) -> int:
        return duration_ms(self.duration)

    @cached_property
    def pause_after_ms(self) -> int:
        return duration_ms(self.pause_after)

    @cached_property
    def resume_after_ms(self) -> int:
        return duration_ms(self.resume_after)

    @cached_property
    def protect_first_ms(self) -> int:
        return duration_ms(self.protect_first)


@dataclass(frozen=True)
class Preemptive:
    """Whether the agent is asked before the turn is over, and which drafts are kept.

    ``scorer`` takes two transcripts and says how alike they are, 0 to 1, in place of ``session.speculation``'s own.
    """

    enabled: bool = False
    strategy: Strategy = "use_if_similar"
    similarity: float = 0.8
    scorer: Callable[[str, str], float] | None = None

    def __post_init__(self) -> None:
        _check_flag("preemptive.enabled", self.enabled)
        _check_choice("preemptive.strategy", self.strategy, get_args(Strategy))
        _check_number("preemptive.similarity", self.similarity, 0.0, 1.0)
        if self.scorer is not None and not callable(self.scorer):
            raise _invalid("preemptive.scorer", self.scorer, "a function of two transcripts, or none")


@dataclass(frozen=True)
class Endpointing:
    """How much silence ends a turn: the least with a verdict of the turn detector, the least without, the most."""

    minimum_silence: Duration = 0.2
    minimum_silence_without_verdict: Duration = 0.5
    maximum_silence: Duration = 2.5

    def __post_init__(self) -> None:
        least = _check_duration("endpointing.minimum_silence", self.minimum_silence, "0ms", "10s")
        name = "endpointing.minimum_silence_without_verdict"
        without = _check_duration(name, self.minimum_silence_without_verdict, "0ms", "10s")
        most = _check_duration("endpointing.maximum_silence", self.maximum_silence, "0ms", "60s")
        if most < max(least, without):
            raise _invalid("endpointing.maximum_silence", self.maximum_silence, "no less than the minimum silences")

    @cached_property
    def minimum_silence_ms(self) -> int:
        return duration_ms(self.minimum_silence)

    @cached_property
    def minimum_silence_without_verdict_ms(self) -> int:
        return duration_ms(self.minimum_silence_without_verdict)

    @cached_property
    def maximum_silence_ms(self) -> int:
        return duration_ms(self.maximum_silence)


@dataclass(frozen=True)
class Chunking:
    """Long utterances: the size of a chunk and the overlap of two, in bytes of PCM, hence even."""

    size: int = 8192
    overlap: int = 1024
    strategy: ChunkStrategy = "sequential"

    def __post_init__(self) -> None:
        _check_whole("chunking.size", self.size, 2, 2**24)
        _check_whole("chunking.overlap", self.overlap, 0, 2**24)
        _check_choice("chunking.strategy", self.strategy, get_args(ChunkStrategy))
        for name, given in (("chunking.size", self.size), ("chunking.overlap", self.overlap)):
            if given % 2:
                raise _invalid(name, given, "an even number")
        if self.overlap >= self.size:
            raise _invalid("chunking.overlap", self.overlap, f"less than chunking.size ({self.size})")


@dataclass(frozen=True)
class SayOptions:
    """How a text is said. ``speed`` 0.5 to 2.0, ``volume`` 0 to 1; ``voice`` as the provider names it."""

    voice: str | None = None
    speed: float = 1.0
    volume: float = 1.0
    allow_interruptions: bool = True

    def __post_init__(self) -> None:
        try:
            if self.voice is not None and (not isinstance(self.voice, str) or not self.voice):
                raise _invalid("voice", self.voice, "the name of a voice, or none")
            _check_number("speed", self.speed, 0.5, 2.0)
            _check_number("volume", self.volume, 0.0, 1.0)
            _check_flag("allow_interruptions", self.allow_interruptions)
        except SessionError as error:
            raise SessionError("say", ErrorCode.INVALID_INPUT, error.message, details=error.details) from None


@dataclass(frozen=True)
class SessionConfig:
    """A session without a ``session_id`` is given a UUID.

    :raises SessionError: ``invalid_config``, naming the field, what was given and what is allowed.
    """

    session_id: str | None = None
    timeout: Duration = 1800.0
    auto_start: bool = False
    enable_keep_alive: bool = True
    automatic_gain: bool = True
    keep_alive_interval: Duration = 30.0
    max_retries: int = 3
    retry_delay: Duration = 1.0
    user_away_timeout: Duration | None = 30.0
    max_duration: Duration | None = 14_400.0
    resume_grace: Duration = 30.0
    interruption: Interruption = field(default_factory=Interruption)
    preemptive: Preemptive = field(default_factory=Preemptive)
    endpointing: Endpointing = field(default_factory=Endpointing)
    chunking: Chunking = field(default_factory=Chunking)
    max_utterance: Duration = 60.0
    stt_timeout: Duration = 5.0
    agent_timeout: Duration = 10.0
    tts_timeout: Duration = 5.0
    apology: str = "Sorry, something went wrong. Could you say that again?"

    def __post_init__(self) -> None:
        if self.session_id is not None and (not isinstance(self.session_id, str) or not self.session_id):
            raise _invalid("session_id", self.session_id, "a non-empty string")
        _check_flag("auto_start", self.auto_start)
        _check_flag("enable_keep_alive", self.enable_keep_alive)
        _check_flag("automatic_gain", self.automatic_gain)
        _check_whole("max_retries", self.max_retries, 0, 10)
        _check_duration("timeout", self.timeout, "1m", "24h")
        _check_duration("keep_alive_interval", self.keep_alive_interval, "5s", "5m")
        _check_duration("retry_delay", self.retry_delay, "100ms", "10s")
        if self.user_away_timeout is not None:
            _check_duration("user_away_timeout", self.user_away_timeout, "5s", "1h")
        if self.max_duration is not None:
            _check_duration("max_duration", self.max_duration, "1m", "24h")
        _check_duration("resume_grace", self.resume_grace, "0ms", "10m")
        _check_duration("max_utterance", self.max_utterance, "1s", "10m")
        for name in ("stt_timeout", "agent_timeout", "tts_timeout"):
            _check_duration(name, getattr(self, name), "100ms", "2m")
        if not isinstance(self.apology, str):
            raise _invalid("apology", self.apology, "a text; an empty one for silence")
        for name, kind in _PARTS.items():
            if not isinstance(getattr(self, name), kind):
                raise _invalid(name, getattr(self, name), f"a {kind.__name__}")

    @cached_property
    def timeout_ms(self) -> int:
        return duration_ms(self.timeout)

    @cached_property
    def keep_alive_interval_ms(self) -> int:
        return duration_ms(self.keep_alive_interval)

    @cached_property
    def retry_delay_ms(self) -> int:
        return duration_ms(self.retry_delay)

    @cached_property
    def user_away_timeout_ms(self) -> int | None:
        return None if self.user_away_timeout is None else duration_ms(self.user_away_timeout)

    @cached_property
    def max_duration_ms(self) -> int | None:
        return None if self.max_duration is None else duration_ms(self.max_duration)

    @cached_property
    def stt_timeout_ms(self) -> int:
        return duration_ms(self.stt_timeout)

    @cached_property
    def agent_timeout_ms(self) -> int:
        return duration_ms(self.agent_timeout)

    @cached_property
    def tts_timeout_ms(self) -> int:
        return duration_ms(self.tts_timeout)

    @cached_property
    def resume_grace_ms(self) -> int:
        return duration_ms(self.resume_grace)

    @cached_property
    def max_utterance_ms(self) -> int:
        return duration_ms(self.max_utterance)


_PARTS = {
    "interruption": Interruption,
    "preemptive": Preemptive,
    "endpointing": Endpointing,
    "chunking": Chunking,
}
