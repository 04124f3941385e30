"""What traces a session: told of each job when it begins, from within its task, and when it ends."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

__all__ = ("NoSpan", "NoSpans", "Span", "SpanKind", "Spans")

SpanKind = Literal["stt", "turn", "agent", "tts", "notify"]
"""A transcription, a verdict of the turn detector, a question to the agent, a piece of speech, and what an agent is
told without being asked."""


class Span(Protocol):
    """One job. Its methods are called in the order of what happened, and must neither block nor raise."""

    def asks(self, provider: str) -> None:
        """The one before failed; this one takes over."""

    def first_result(self, latency_ms: int) -> None:
        """Since it was asked for. Of a transcription it is the final: there may be several, and the last counts."""

    def over(self, error: str | None) -> None:
        """A request is over, with the provider's error code if it failed. There may be more than one in a job."""


class Spans(Protocol):
    """Of one session, in an event loop. What a job logs and sends happens inside its ``stage``, also in its context
    variables."""

    def stage(self, kind: SpanKind, provider: str, turn_id: str) -> AbstractContextManager[Span]:
        """Entered when the job begins, left when it ends: by itself, by failure or cancelled. ``turn_id`` is that of
        the notices, empty for what belongs to no turn."""


class NoSpan:
    def asks(self, provider: str) -> None:
        pass

    def first_result(self, latency_ms: int) -> None:
        pass

    def over(self, error: str | None) -> None:
        pass


class NoSpans:
    """For sessions that nobody traces."""

    def stage(self, kind: SpanKind, provider: str, turn_id: str) -> AbstractContextManager[Span]:  # noqa: ARG002
        return nullcontext(_NO_SPAN)


_NO_SPAN = NoSpan()
