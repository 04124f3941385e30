"""A conversation as a client sees it: the server's messages in, what is to be shown out. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ("Conversation", "Turn", "describe_latency")

_GREETING_MS = 1_000
"""An agent that greets has begun by then."""

_GREETING_AT_MOST_MS = 15_000
"""Whoever talks on for longer is talked into."""

_BREATH_MS = 300
"""Between the end of the greeting and the first word."""

_SETTLED_MS = 1_500
"""After a reply: long enough that a further turn would have shown itself."""

_UNDECIDED_MS = 4_000
"""After speech that nothing came of yet: longer than the longest wait of the endpointing (2.5 s)."""

_STAGES = ("endpoint", "stt", "agent", "tts", "response")


@dataclass(slots=True)
class Turn:
    turn_id: str
    said: str = ""
    reply: str = ""
    heard: str = ""
    interrupted: bool = False
    latency: Mapping[str, int | None] = field(default_factory=dict)


class Conversation:
    """Feed it every message in order; then ask it what is going on."""

    def __init__(self) -> None:
        self.state = "connecting"
        self.session_id = ""
        self.interim = ""
        self.turns: dict[str, Turn] = {}
        self.failed = False
        self.ended: str | None = None
        self._open_replies: set[str] = set()
        self._undecided = False
        self._active_ms = 0

    def handle(self, message: Mapping[str, object], at_ms: int) -> str | None:
        """Take a message; return the line, without markup, to be shown for it, if any.

        What the message lacks is taken as empty, and an unknown type is passed over: a newer server may say more.
        """
        self._active_ms = at_ms
        line = None
        match message.get("type"):
            case "ready":
                self.session_id = _text(message, "session_id")
                line = f"connected, session {self.session_id}"
            case "state":
                self.state = _text(message, "state")
                if self.state == "listening":
                    self._open_replies.clear()  # a reply that failed is not always told done
            case "speech" if message.get("event") == "started":
                self._undecided = True
            case "transcript":
                line = self._transcript(message)
            case "reply":
                line = self._reply(message)
            case "clear":
                line = "       you broke in"
            case "error":
                self.failed = True
                line = f"error: {_text(message, 'message')} ({_text(message, 'code')})"
            case "ended":
                self.ended = _text(message, "reason")
                line = f"ended: {self.ended}"
        return line

    def finished(self, now_ms: int, sent_all_ms: int) -> bool:
        """Whether nothing more is to be expected, when the last of the recording was sent at ``sent_all_ms``."""
        if self.ended is not None:
            return True
        if self._answering():
            return False
        quiet_ms = now_ms - max(self._active_ms, sent_all_ms)
        return quiet_ms >= (_UNDECIDED_MS if self._undecided else _SETTLED_MS)

    def greeted(self, now_ms: int) -> bool:
        """Whether the agent has said its greeting, or has none."""
        if self._answering():
            return now_ms >= _GREETING_AT_MOST_MS
        return now_ms >= (self._active_ms + _BREATH_MS if self.turns else _GREETING_MS)

    def _answering(self) -> bool:
        return bool(self._open_replies) or self.state in ("processing", "speaking")

    def summary(self) -> dict[str, object]:
        return {
            "type": "summary",
            "session_id": self.session_id,
            "ended": self.ended,
            "turns": [
                {
                    "turn_id": turn.turn_id,
                    "said": turn.said,
                    "reply": turn.reply,
                    "heard": turn.heard,
                    "interrupted": turn.interrupted,
                    "latency": dict(turn.latency),
                }
                for turn in self.turns.values()
            ],
        }

    def _turn(self, message: Mapping[str, object]) -> Turn:
        turn_id = _text(message, "turn_id")
        return self.turns.setdefault(turn_id, Turn(turn_id))

    def _transcript(self, message: Mapping[str, object]) -> str | None:
        text = _text(message, "text")
        if not message.get("final"):
            self.interim = text
            self._undecided = True
            return None
        self.interim = ""
        self._undecided = False
        if not text:
            return None
        self._turn(message).said = text
        return f"you    {text}"

    def _reply(self, message: Mapping[str, object]) -> str | None:
        turn = self._turn(message)
        match message.get("event"):
            case "started":
                self._open_replies.add(turn.turn_id)
                self._undecided = False
            case "text":
                self._open_replies.add(turn.turn_id)
                return f"agent  {_text(message, 'text')}"
            case "done":
                self._open_replies.discard(turn.turn_id)
                turn.reply, turn.heard = _text(message, "text"), _text(message, "heard_text")
                turn.interrupted = message.get("interrupted") is True
                latency = message.get("latency")
                turn.latency = latency if isinstance(latency, Mapping) else {}
                return self._done_line(turn)
        return None

    @staticmethod
    def _done_line(turn: Turn) -> str | None:
        parts = [f"interrupted, heard: {turn.heard!r}"] if turn.interrupted else []
        parts += [described] if (described := describe_latency(turn.latency)) else []
        return f"       {' · '.join(parts)}" if parts else None


def describe_latency(latency: Mapping[str, int | None]) -> str:
    """``endpoint 210 · stt 95 · … ms``: the stages that took part."""
    taken = [(stage, latency.get(f"{stage}_ms")) for stage in _STAGES]
    described = " · ".join(f"{stage} {ms}" for stage, ms in taken if ms is not None)
    return f"{described} ms" if described else ""


def _text(message: Mapping[str, object], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
