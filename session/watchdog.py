"""No state lasts for ever: what does not move for longer than all its own limits together is closed, and counted.

Every stage has a deadline of its own, so that this one never comes: it stands for the mistakes that are still in here.
"""

from __future__ import annotations

from session.config import SessionConfig
from session.conversation import Conversation
from session.desk import Desk

__all__ = ("Watchdog",)

SLACK_MS = 15_000
"""More than what the rules wait for of themselves: a held reply, the silence that ends a turn, a stalled playout."""


class Watchdog:
    def __init__(self, desk: Desk, config: SessionConfig, conversation: Conversation) -> None:
        self._desk = desk
        self._conversation = conversation
        self._seen: tuple[object, ...] = ()
        tries = config.max_retries + 1
        self._turn_ms = config.max_utterance_ms * 5 + 2 * tries * config.stt_timeout_ms + SLACK_MS
        self._reply_ms = config.agent_timeout_ms + 2 * tries * config.tts_timeout_ms + SLACK_MS

    def consider(self) -> None:
        """After every event: whether anything has moved."""
        turn, reply = self._conversation.listener.turn, self._conversation.replier.reply
        turn_id = None if turn is None else turn.turn_id
        seen: tuple[object, ...]
        if reply is not None and self._conversation.replier.attached:
            limit_ms = self._reply_ms
            seen = (self._conversation.state, reply.turn_id, reply.playout.sent_samples, turn_id)
        elif turn is not None:
            limit_ms = self._turn_ms
            seen = (self._conversation.state, turn_id)
        else:
            self._seen = ()
            self._desk.deadlines.clear("watchdog")
            return
        if seen != self._seen:
            self._seen = seen
            self._desk.deadlines.set("watchdog", self._desk.now_ms + limit_ms)
