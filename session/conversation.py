"""What is going on: the state, the turn, the reply, what waits, and what was said. No rules, only the facts."""

from __future__ import annotations

from collections import deque

from session.commands import Ask
from session.config import SessionConfig
from session.desk import Desk
from session.echo import Overlap
from session.errors import ErrorCode, SessionError
from session.events import SayAsked
from session.history import History
from session.listening import Listener, UserTurn
from session.notices import (
    DraftJudged,
    ErrorOccurred,
    Latency,
    ReplyDone,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.replying import Replier, Reply
from session.states import SessionState, transition

__all__ = ("Conversation",)


class Conversation:
    """``waiting``: texts to be said. ``kept``: what the user said into a reply that went on; it is answered then."""

    def __init__(
        self, desk: Desk, config: SessionConfig, *, rate_hz: int, detects_turns: bool, state: SessionState
    ) -> None:
        self.state = state
        self.history = History()
        self.listener = Listener(desk, config, rate_hz=rate_hz, detects_turns=detects_turns)
        self.replier = Replier(desk, config, rate_hz)
        self.waiting: deque[SayAsked] = deque()
        self.kept: UserTurn | None = None
        self.active_ms = desk.now_ms
        self._desk = desk

    @property
    def active(self) -> bool:
        return self.state not in (SessionState.INITIAL, SessionState.ENDED)

    def become(self, state: SessionState) -> None:
        if state is not self.state:
            previous, self.state = self.state, transition(self.state, state)
            self._desk.tell(StateChanged(state, previous))

    def come_back(self) -> None:
        if self.state is SessionState.AWAY:
            self.become(SessionState.LISTENING)

    def need_active(self, op: str) -> None:
        if not self.active:
            raise SessionError(op, ErrorCode.SESSION_NOT_ACTIVE, f"the session is {self.state}")

    def take_turn(self) -> UserTurn | None:
        """The user's turn is over, one way or another; that its transcription failed is told."""
        turn = self.listener.take()
        if turn is not None and turn.failed is not None:
            self._desk.tell(ErrorOccurred(ErrorCode.STT_ERROR, turn.failed, retryable=True, fatal=False))
        return turn

    def mark_overlap(self, turn: UserTurn) -> None:
        """A turn has just begun, or goes on: what is heard in it may be what is being played."""
        reply = self.replier.reply
        if turn.overlap is None and reply is not None and reply.audible:
            turn.overlap = Overlap(reply.playout, reply.playout.heard_samples)

    def tell_transcript(self, turn: UserTurn, *, final: bool) -> None:
        self._desk.tell(TranscriptChanged(turn.turn_id, turn.text, final, turn.language, turn.confidence))

    def ask_of(self, turn: UserTurn) -> Ask:
        """What the agent is asked, before the turn is in the history; the job is filled in where it is opened."""
        return Ask(
            0,
            turn.turn_id,
            "turn",
            transcript=turn.text,
            replaces=turn.replaces,
            language=turn.language,
            history=self.history.messages,
        )

    def latency_of(self, turn: UserTurn) -> Latency:
        """As far as it is known at the end of the turn, which is now."""
        last_ms = turn.last_voiced_arrived_ms
        return Latency(endpoint_ms=None if last_ms is None else self._desk.now_ms - last_ms, stt_ms=turn.stt_ms)

    def close_unanswered(self, turn: UserTurn) -> None:
        """What the user had begun to say is kept in the history, but nobody will answer it."""
        if turn.text:
            self.tell_transcript(turn, final=True)
            self.history.user_said(turn.text)
        self._desk.tell(TurnDone(turn.turn_id, TurnOutcome.INTERRUPTED if turn.text else TurnOutcome.EMPTY))

    def close_reply(self, *, interrupted: bool) -> Reply | None:
        """The reply is over: what was heard of it stays, and who waited for it is told."""
        reply = self.replier.close(at_listener=interrupted)
        if reply is None:
            return None
        if reply.draft:
            self._desk.tell(DraftJudged(used=False))
        reply.heard_text = reply.playout.heard_text()
        self.history.user_heard(reply.heard_text, interrupted=interrupted)
        if reply.told or reply.utterance_id is not None:
            self._desk.tell(
                ReplyDone(reply.turn_id, reply.text, reply.heard_text, interrupted, reply.latency, reply.utterance_id)
            )
        if reply.user_turn:
            outcome = TurnOutcome.INTERRUPTED if interrupted else TurnOutcome.ANSWERED
            self._desk.tell(TurnDone(reply.turn_id, TurnOutcome.FAILED if reply.failed else outcome, reply.latency))
        return reply

    def drop_waiting(self, *, keep_uninterruptible: bool = False) -> None:
        """What waits to be said is not wanted any more."""
        waiting, self.waiting = self.waiting, deque()
        for say in waiting:
            if keep_uninterruptible and not say.options.allow_interruptions:
                self.waiting.append(say)
            else:
                self.tell_unsaid(say)

    def tell_unsaid(self, say: SayAsked) -> None:
        turn_id = self._desk.next_turn_id()
        self._desk.tell(
            ReplyDone(turn_id, say.text, "", interrupted=True, latency=Latency(), utterance_id=say.utterance_id)
        )
