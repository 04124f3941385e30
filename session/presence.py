"""Is anybody there? A user who is away, a call in which nobody speaks, the longest call, a connection that died."""

from __future__ import annotations

from session.commands import Ask, Notify, Ping
from session.config import SessionConfig
from session.conversation import Conversation
from session.desk import Desk
from session.states import SessionState

__all__ = ("MISSED_PINGS", "Presence")

MISSED_PINGS = 2
"""A connection that has answered none of so many pings, one after another, is taken to be dead."""


class Presence:
    """``pings``: whether the transport can ping its listener."""

    def __init__(
        self, desk: Desk, config: SessionConfig, conversation: Conversation, *, has_agent: bool, pings: bool
    ) -> None:
        self._desk = desk
        self._config = config
        self._conversation = conversation
        self._has_agent = has_agent
        self._pings = pings and config.enable_keep_alive
        self._unanswered = 0
        self._aways = 0
        self._away_turn_id = ""

    def begin(self) -> None:
        self._desk.deadlines.set("inactivity", self._desk.now_ms + self._config.timeout_ms)
        if self._config.max_duration_ms is not None:
            self._desk.deadlines.set("max_duration", self._desk.now_ms + self._config.max_duration_ms)
        self.attached()

    # --- the user -----------------------------------------------------------------------------------------------

    def consider(self, *, idle: bool) -> None:
        """``idle``: it is the user's turn to speak, and they do not."""
        deadlines, after_ms = self._desk.deadlines, self._config.user_away_timeout_ms
        if after_ms is None or not idle or self._conversation.state is not SessionState.LISTENING:
            deadlines.clear("away")
        elif not deadlines.is_set("away"):
            deadlines.set("away", self._desk.now_ms + after_ms)

    def away(self) -> None:
        """The agent is told, and may say something. That it does is no activity: nobody has come back."""
        conversation, replier = self._conversation, self._conversation.replier
        conversation.become(SessionState.AWAY)
        self._aways += 1
        if self._has_agent:
            self._away_turn_id = turn_id = self._desk.next_turn_id()
            history = conversation.history.messages
            replier.ask(
                replier.new_reply(turn_id), Ask(0, turn_id, "user.away", times_away=self._aways, history=history)
            )

    def back(self) -> None:
        """The user has made themselves heard."""
        self._conversation.come_back()
        if self._aways:
            self._aways = 0
            if self._has_agent:
                self._desk.give(Notify("user.back", self._away_turn_id, history=self._conversation.history.messages))

    def gave_up(self) -> bool:
        """Whether nobody has spoken for the whole timeout; if somebody has, it runs on from there."""
        last_ms = self._conversation.active_ms + self._config.timeout_ms
        if last_ms <= self._desk.now_ms:
            return True
        self._desk.deadlines.set("inactivity", last_ms)
        return False

    # --- the connection -----------------------------------------------------------------------------------------

    def attached(self) -> None:
        self._unanswered = 0
        if self._pings:
            self._desk.deadlines.set("keep_alive", self._desk.now_ms + self._config.keep_alive_interval_ms)

    def detached(self) -> None:
        """Whoever lost the connection knows, and does not need to be told by pings."""
        self._desk.deadlines.clear("keep_alive")

    def is_gone(self) -> bool:
        """The next ping is due: True when those before it were not answered."""
        if self._unanswered >= MISSED_PINGS:
            return True
        self._unanswered += 1
        self._desk.give(Ping())
        self._desk.deadlines.set("keep_alive", self._desk.now_ms + self._config.keep_alive_interval_ms)
        return False

    def ponged(self) -> None:
        self._unanswered = 0
