"""Who has the floor: what the user's voice does to a reply that is open.

A reply that nobody has heard yet is held as soon as the user makes a sound, and goes on if they said nothing; if they
did speak, their turn was not over: the reply is dropped and what they said before and now is asked as one turn. A reply
that is being heard is paused after a while of speech, and given up when that turns out to be an interruption; otherwise
it goes on, and what they said is kept for when it is over.
"""

from __future__ import annotations

from session.bargein import is_backchannel, is_interruption
from session.commands import Notify
from session.config import SessionConfig
from session.conversation import Conversation
from session.desk import Desk
from session.listening import UserTurn
from session.notices import (
    InterruptionJudged,
    ReplyCleared,
    ReplyPaused,
    ReplyResumed,
    TurnDone,
    TurnOutcome,
)
from session.replying import Reply
from session.states import SessionState

__all__ = ("Floor",)

HOLD_LIMIT_MS = 5_000
"""A reply is held this long for sound in which no words are recognised (music, a passing train), then goes on."""


class Floor:
    def __init__(self, desk: Desk, config: SessionConfig, conversation: Conversation, *, has_agent: bool) -> None:
        self._desk = desk
        self._rules = config.interruption
        self._conversation = conversation
        self._listener = conversation.listener
        self._replier = conversation.replier
        self._has_agent = has_agent

    def consider(self, turn: UserTurn, reply: Reply) -> None:
        """The user has begun a turn while a reply is open: leave it, hold it, let it go on, or drop it."""
        if not self._rules.enabled or not reply.options.allow_interruptions:
            if self._listener.finished:
                self._set_aside(turn)
            return
        hearing, protected = self._listener.hearing, self._is_protected(reply)
        if not hearing.speaking:
            reply.hold_is_spent = False
        elif not protected and not reply.held and not reply.hold_is_spent:
            if not reply.audible:
                self._hold()
            elif hearing.voiced_for(self._rules.pause_after_ms) and self._may_be_theirs(turn):
                self._pause(reply)
        if turn.spoken and not protected and is_interruption(self._rules, turn.spoken, turn.voiced_ms):
            self._take_from(reply)
        elif self._listener.finals_are_in and not hearing.speaking:
            self._was_no_interruption(turn, reply)

    def take(self) -> None:
        """For whoever needs no words to take it: a typed turn, a key, a command. The user's turn is left alone."""
        reply = self._conversation.close_reply(interrupted=True)
        if reply is None:
            return
        if reply.audible:
            self._desk.tell(ReplyCleared(reply.turn_id))
        if self._has_agent and reply.ask is not None and (reply.user_turn or reply.audible):
            history = self._conversation.history.messages
            self._desk.give(Notify("turn.interrupted", reply.turn_id, heard_text=reply.heard_text, history=history))
        self._conversation.become(SessionState.LISTENING)

    def resume(self, *, hold_is_spent: bool = False) -> None:
        """Let a held reply go on. ``hold_is_spent``: the sound that goes on does not hold it again."""
        reply = self._replier.reply
        self._desk.deadlines.clear("hold")
        if reply is None or not reply.held:
            return
        if reply.paused_told:
            self._desk.tell(ReplyResumed(reply.turn_id))
            self._desk.tell(InterruptionJudged(committed=False, stop_ms=reply.stop_ms))
        self._replier.release()
        reply.hold_is_spent = hold_is_spent

    def let_out(self) -> None:
        """The reply is heard to its end: whoever was told of a pause is told that it is none."""
        reply = self._replier.reply
        if reply is not None and reply.paused_told:
            self.resume()

    def _may_be_theirs(self, turn: UserTurn) -> bool:
        """Where the line returns our own voice, a sound is theirs once there are words in it that are not ours."""
        return bool(turn.spoken) or not self._listener.echo.line_echoes

    def _is_protected(self, reply: Reply) -> bool:
        return reply.heard_since_ms is not None and (
            self._desk.now_ms - reply.heard_since_ms < self._rules.protect_first_ms
        )

    def _hold(self) -> None:
        self._replier.hold()
        self._desk.deadlines.set("hold", self._desk.now_ms + HOLD_LIMIT_MS)

    def _pause(self, reply: Reply) -> None:
        self._hold()
        reply.paused_told = True
        reply.stop_ms = self._since_onset_ms()
        self._desk.tell(ReplyPaused(reply.turn_id))

    def _take_from(self, reply: Reply) -> None:
        """The user has the floor. A turn that nobody has heard an answer to is taken back and goes on as this one,
        unless it was ended at its limit: then it would only grow again."""
        turn = self._listener.turn
        if reply.audible:
            stop_ms = self._since_onset_ms() if reply.stop_ms is None else reply.stop_ms
            self._desk.tell(InterruptionJudged(committed=True, stop_ms=stop_ms))
        elif turn is not None and reply.ask is not None and reply.ask.type == "turn" and turn.follows != reply.turn_id:
            self._conversation.history.take_back()
            turn.before = f"{reply.ask.transcript} {turn.before}".strip()
            turn.replaces = reply.turn_id
        self.take()
        self._conversation.drop_waiting(keep_uninterruptible=True)

    def _was_no_interruption(self, turn: UserTurn, reply: Reply) -> None:
        """They fell silent, and what they said does not take the floor from a reply that is heard."""
        if is_backchannel(self._rules, turn.spoken):
            self._set_aside(turn)
            self.resume()
        elif not reply.audible:
            if self._listener.finished:
                self._take_from(reply)
        elif self._listener.hearing.silence_ms >= self._rules.resume_after_ms:
            self._set_aside(turn)
            self.resume()

    def _set_aside(self, turn: UserTurn) -> None:
        """The reply goes on. What was said is asked when it is over, unless it was only a sign of listening."""
        self._conversation.take_turn()
        if self._listener.hold_back(turn):
            self._listener.follow(turn, as_the_same=True)
            return
        turn.last_voiced_arrived_ms = None  # the wait for the reply's end is no latency of ours
        if is_backchannel(self._rules, turn.spoken):
            if not turn.before:
                if turn.told:
                    self._conversation.tell_transcript(turn, final=True)
                self._desk.tell(TurnDone(turn.turn_id, TurnOutcome.EMPTY))
                return
            turn.spoken = ""
        self._conversation.kept = turn

    def _since_onset_ms(self) -> int:
        """From the first sound of the user's to now: in their audio up to its last window, on the clock since."""
        hearing = self._listener.hearing
        return hearing.position_ms - hearing.onset_ms + self._desk.now_ms - hearing.last_arrived_ms
