"""The engine: what happened and when in, what to do out. It has no clock, no tasks and no I/O.

``handle`` takes one event, drains all that follows from it into commands, and the caller then re-arms one timer for
``next_deadline``. The user's turn is kept by ``Listener``, the reply by ``Replier``, and who of them has the floor is
decided by ``Floor``. What stands here is the way of a turn: over, asked, answered, what next.
"""

from __future__ import annotations

from typing import assert_never

from providers.api import Message
from session.commands import Ask, Command, End, Notify
from session.config import SessionConfig
from session.conversation import Conversation
from session.desk import DeadlineName, Desk
from session.errors import ErrorCode, SessionError
from session.events import (
    AgentDid,
    AgentFinished,
    AgentSaid,
    Attached,
    Detached,
    DtmfPressed,
    Event,
    Failed,
    Heard,
    HungUp,
    InterruptAsked,
    Judged,
    Played,
    Ponged,
    RoomChanged,
    SayAsked,
    SayCancelled,
    Spoken,
    SpokenWhole,
    Started,
    Transcribed,
    Typed,
)
from session.floor import Floor
from session.listening import UserTurn
from session.notices import (
    AgentActed,
    Ended,
    EndReason,
    ErrorOccurred,
    Latency,
    Repaired,
    RepairKind,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.presence import MISSED_PINGS, Presence
from session.replying import Reply
from session.speculation import Speculator
from session.states import SessionState
from session.watchdog import Watchdog

__all__ = ("MAX_WAITING_SAYS", "Engine")

MAX_WAITING_SAYS = 100
"""Texts that wait to be said; one more is refused with ``capacity``."""

JobEvent = Transcribed | Judged | AgentSaid | AgentDid | AgentFinished | Spoken | SpokenWhole | Failed


class Engine:
    """``rate_hz``: of the audio that is played out, in whose samples positions are counted. ``pings``: whether the
    listener's end can be asked for a sign of life."""

    def __init__(
        self, config: SessionConfig, *, rate_hz: int, detects_turns: bool, has_agent: bool = True, pings: bool = False
    ) -> None:
        self._config = config
        self._rate_hz = rate_hz
        self._detects_turns = detects_turns
        self._has_agent = has_agent
        self._pings = pings
        self._desk = Desk()
        self._begin_anew(SessionState.INITIAL)

    def _begin_anew(self, state: SessionState) -> None:
        self._conversation = Conversation(
            self._desk, self._config, rate_hz=self._rate_hz, detects_turns=self._detects_turns, state=state
        )
        self._listener = self._conversation.listener
        self._replier = self._conversation.replier
        self._speculator = Speculator(self._desk, self._config.preemptive, self._conversation)
        self._floor = Floor(self._desk, self._config, self._conversation, has_agent=self._has_agent)
        self._presence = Presence(
            self._desk, self._config, self._conversation, has_agent=self._has_agent, pings=self._pings
        )
        self._watchdog = Watchdog(self._desk, self._config, self._conversation)

    @property
    def state(self) -> SessionState:
        return self._conversation.state

    @property
    def active(self) -> bool:
        return self._conversation.active

    @property
    def history(self) -> tuple[Message, ...]:
        return self._conversation.history.messages

    def next_deadline(self) -> int | None:
        return self._desk.deadlines.next_ms()

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """:raises SessionError: ``session_already_active``, ``session_not_active``, ``capacity``, ``invalid_input``."""
        self._desk.now_ms = max(self._desk.now_ms, now_ms)
        self._route(event)
        self._settle()
        return self._desk.drain()

    def handle_timeout(self, now_ms: int) -> list[Command]:
        """Everything that is due by now; does nothing when nothing is."""
        self._desk.now_ms = max(self._desk.now_ms, now_ms)
        while (name := self._desk.deadlines.pop_due(self._desk.now_ms)) is not None:
            self._deadline(name)
            self._settle()
        return self._desk.drain()

    # --- what happened ------------------------------------------------------------------------------------------

    def _route(self, event: Event) -> None:
        match event:
            case Heard():
                self._heard(event)
            case Played():
                self._played(event)
            case (
                Transcribed()
                | Judged()
                | AgentSaid()
                | AgentDid()
                | AgentFinished()
                | Spoken()
                | SpokenWhole()
                | Failed()
            ):
                # The door: what comes from a job that is closed belongs to a turn that is over.
                if self._desk.stage(event.job) is not None:
                    self._job_event(event)
            case Started():
                self._start(event)
            case Typed():
                self._typed(event)
            case DtmfPressed():
                self._dtmf(event)
            case SayAsked():
                self._say_asked(event)
            case SayCancelled():
                self._say_cancelled(event)
            case InterruptAsked():
                self._conversation.need_active("interrupt")
                self._floor.take()
                self._conversation.drop_waiting()
            case HungUp():
                self._end(event.reason)
            case Detached():
                self._conversation.need_active("hold")
                self._replier.detach()
                self._presence.detached()
            case Attached():
                self._conversation.need_active("go_on")
                self._replier.attach()
                self._presence.attached()
            case Ponged():
                self._presence.ponged()
            case RoomChanged():
                self._replier.room_changed(has_room=event.has_room)
            case _:
                assert_never(event)

    def _job_event(self, event: JobEvent) -> None:
        match event:
            case Transcribed():
                self._listener.transcribed(event, self.history)
            case Judged():
                self._listener.judged(event)
            case AgentSaid():
                self._replier.agent_said(event)
            case AgentDid():
                self._agent_did(event)
            case AgentFinished():
                self._replier.agent_finished()
            case Spoken():
                self._replier.spoken(event)
            case SpokenWhole():
                self._replier.spoken_whole()
            case Failed():
                self._failed(event)
            case _:
                assert_never(event)

    def _start(self, event: Started) -> None:
        if self.active:
            raise SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, f"the session is {self.state}")
        self._begin_anew(self.state)
        self._conversation.become(SessionState.LISTENING)
        self._presence.begin()
        if event.greeting:
            self._replier.say(self._new_reply(), event.greeting)
        elif self._has_agent:
            reply = self._new_reply()
            self._replier.ask(reply, Ask(0, reply.turn_id, "session.started"))

    def _heard(self, event: Heard) -> None:
        if not self.active:
            return
        kept = self._conversation.kept
        begins = self._listener.hear(event, None if kept is None else kept.carried_on())
        if self._listener.turn is None:
            return
        self._conversation.active_ms = self._desk.now_ms
        if begins:
            self._conversation.kept = None
            self._presence.back()
            self._conversation.mark_overlap(self._listener.turn)

    def _played(self, event: Played) -> None:
        if not _need_not_be_answered(self._replier.reply):
            self._conversation.active_ms = self._desk.now_ms
        if self._replier.played(event):
            self._conversation.come_back()
            self._conversation.become(SessionState.SPEAKING)

    def _typed(self, event: Typed) -> None:
        self._conversation.need_active("process_transcript")
        text = event.text.strip()
        if not text:
            raise SessionError("process_transcript", ErrorCode.INVALID_INPUT, "the text is empty")
        self._presence.back()
        self._take_the_floor()
        self._commit(UserTurn(self._desk.next_turn_id(), spoken=text))

    def _dtmf(self, event: DtmfPressed) -> None:
        self._conversation.need_active("dtmf")
        self._presence.back()
        self._take_the_floor()
        if self._has_agent:
            turn_id = self._desk.next_turn_id()
            self._ask(UserTurn(turn_id), Ask(0, turn_id, "dtmf", digits=event.digits, history=self.history))

    def _say_asked(self, event: SayAsked) -> None:
        self._conversation.need_active("say")
        if not event.text.strip():
            raise SessionError("say", ErrorCode.INVALID_INPUT, "the text is empty")
        if len(self._conversation.waiting) >= MAX_WAITING_SAYS:
            raise SessionError("say", ErrorCode.CAPACITY, f"{MAX_WAITING_SAYS} texts are waiting to be said")
        self._conversation.waiting.append(event)
        self._conversation.active_ms = self._desk.now_ms

    def _say_cancelled(self, event: SayCancelled) -> None:
        waiting = self._conversation.waiting
        for say in waiting:
            if say.utterance_id == event.utterance_id:
                waiting.remove(say)
                self._conversation.tell_unsaid(say)
                return
        reply = self._replier.reply
        if reply is not None and reply.utterance_id == event.utterance_id:
            self._floor.take()

    def _agent_did(self, event: AgentDid) -> None:
        reply = self._replier.reply
        if reply is None:
            return
        reply.acted = True
        if event.action == "dtmf" and not reply.draft:
            self._desk.tell(AgentActed(reply.turn_id, event.action, event.to, event.digits))
        else:
            reply.last_action = event

    def _failed(self, event: Failed) -> None:
        stage = self._desk.stage(event.job)
        if stage == "stt":
            self._listener.failed(event)
        elif stage == "turn":
            self._desk.close(event.job)  # without a verdict the turn ends by silence alone
        elif self._speculator.draft is not None:
            self._desk.close(event.job)
            self._speculator.give_up()
        elif stage == "agent":
            self._agent_failed(event)
        elif self._replier.speech_failed(event):
            self._tell_error(ErrorCode.TTS_ERROR, event.message, retryable=event.retryable)

    # --- what time brings ---------------------------------------------------------------------------------------

    def _deadline(self, name: DeadlineName) -> None:
        match name:
            case "audio_gap":
                self._repaired(name)
                self._listener.gap()
            case "final":
                self._repaired(name)
                self._listener.final_is_late()
            case "retry_stt":
                self._listener.retry()
            case "agent" | "tts" if self._speculator.draft is not None:
                self._speculator.give_up()
            case "agent":
                self._repaired(name)
                self._agent_is_late()
            case "retry_agent":
                self._replier.retry_agent()
            case "tts":
                self._repaired(name)
                self._replier.speech_is_late()
                message = f"nothing came within {self._config.tts_timeout_ms} ms"
                self._tell_error(ErrorCode.TTS_ERROR, message, retryable=True)
            case "retry_tts":
                self._replier.retry_speech()
            case "playout":
                self._repaired(name)
                self._replier.playout_stalled()
            case "hold":
                self._repaired(name)
                self._floor.resume(hold_is_spent=True)
            case "watchdog":
                self._free_what_is_stuck()
            case "away":
                self._presence.away()
            case "inactivity":
                if self._presence.gave_up():
                    self._end(EndReason.TIMEOUT)
            case "max_duration":
                self._end(EndReason.TIMEOUT)
            case "keep_alive":
                self._keep_alive()
            case _:
                assert_never(name)

    def _agent_failed(self, event: Failed) -> None:
        reply = self._replier.reply
        if self._replier.agent_failed(event) and not _need_not_be_answered(reply):
            self._tell_error(ErrorCode.AGENT_ERROR, event.message, retryable=event.retryable)

    def _agent_is_late(self) -> None:
        self._replier.agent_is_late()
        if not _need_not_be_answered(self._replier.reply):
            message = f"nothing came within {self._config.agent_timeout_ms} ms"
            self._tell_error(ErrorCode.AGENT_ERROR, message, retryable=True)

    def _keep_alive(self) -> None:
        if self._presence.is_gone():
            message = f"{MISSED_PINGS} pings were not answered"
            self._desk.tell(ErrorOccurred(ErrorCode.TRANSPORT_ERROR, message, retryable=False, fatal=True))
            self._end(EndReason.ERROR)

    def _free_what_is_stuck(self) -> None:
        reply = self._replier.reply
        self._repaired("turn" if reply is None else "reply")
        self._tell_error(ErrorCode.INTERNAL_ERROR, f"nothing moved for too long while {self.state}", retryable=True)
        if reply is None:
            self._close_turn()
            return
        reply.failed = True
        self._floor.take()
        if reply.user_turn:
            self._apologise(reply.error)

    def _repaired(self, what: RepairKind) -> None:
        self._desk.tell(Repaired(what))

    # --- what follows -------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """After every event: is the reply over, who has the floor, is the turn over, what is next?"""
        while self._replier.finished:
            self._reply_is_over()
        if not self.active:
            return
        if self._config.preemptive.enabled and self._has_agent:
            self._speculator.consider()
        if self._listener.turn is not None and self._replier.reply is not None and self._speculator.draft is None:
            self._floor.consider(self._listener.turn, self._replier.reply)
        if (self._replier.reply is None or self._speculator.draft is not None) and self._listener.finished:
            self._turn_is_over()
        if self._replier.reply is None and self._listener.turn is None:
            self._go_on()
        if self._replier.finished:  # nothing in it can be spoken
            self._settle()
        idle = self._listener.turn is None and self._replier.reply is None
        self._presence.consider(idle=idle)
        self._watchdog.consider()

    def _turn_is_over(self) -> None:
        turn = self._conversation.take_turn()
        if turn is None:
            return
        goes_on = self._listener.hold_back(turn)
        if turn.text:
            self._commit(turn)
        else:
            self._nothing_was_said(turn)
        if goes_on:
            self._listener.follow(turn)

    def _nothing_was_said(self, turn: UserTurn) -> None:
        self._speculator.discard(turn)
        if turn.told:
            self._desk.tell(TranscriptChanged(turn.turn_id, "", final=True))
        outcome = TurnOutcome.EMPTY if turn.failed is None else TurnOutcome.FAILED
        self._desk.tell(TurnDone(turn.turn_id, outcome, Latency(stt_ms=turn.stt_ms)))
        if turn.failed is not None:
            self._apologise()

    def _commit(self, turn: UserTurn) -> None:
        """The turn is the user's in the history, and the agent's to answer, unless its draft does."""
        if self._speculator.answer(turn):
            return
        ask = self._conversation.ask_of(turn)
        self._conversation.tell_transcript(turn, final=True)
        self._conversation.history.user_said(turn.text)
        if not self._has_agent:
            self._desk.tell(TurnDone(turn.turn_id, TurnOutcome.ANSWERED, self._conversation.latency_of(turn)))
            return
        self._ask(turn, ask)

    def _ask(self, turn: UserTurn, ask: Ask) -> None:
        self._conversation.come_back()
        self._conversation.become(SessionState.PROCESSING)
        reply = self._replier.new_reply(turn.turn_id)
        reply.user_turn = True
        reply.spoken_end_ms = turn.last_voiced_arrived_ms
        reply.latency = self._conversation.latency_of(turn)
        self._replier.ask(reply, ask)

    def _reply_is_over(self) -> None:
        # Paused when its last words were on the way: a listener who was told so must not wait for ever.
        self._floor.let_out()
        reply = self._conversation.close_reply(interrupted=False)
        if reply is None:
            return
        if self.state in (SessionState.PROCESSING, SessionState.SPEAKING):
            self._conversation.become(SessionState.LISTENING)
        if reply.failed:
            if reply.user_turn:
                self._apologise(reply.error)
        elif reply.last_action is not None:
            self._act(reply, reply.last_action)

    def _act(self, reply: Reply, did: AgentDid) -> None:
        if did.action == "hangup":
            self._end(EndReason.AGENT)
        else:
            self._desk.tell(AgentActed(reply.turn_id, did.action, did.to, did.digits))

    def _go_on(self) -> None:
        """The floor is free: what was said during the last reply is answered, then what waits to be said is said."""
        conversation = self._conversation
        if conversation.kept is not None:
            kept, conversation.kept = conversation.kept, None
            self._commit(kept)
        elif conversation.waiting:
            conversation.come_back()
            say = conversation.waiting.popleft()
            reply = self._new_reply()
            reply.utterance_id, reply.options = say.utterance_id, say.options
            self._replier.say(reply, say.text)

    def _take_the_floor(self) -> None:
        """For a turn that is not spoken: whatever is open is closed, and what the user was saying is not lost."""
        self._floor.take()
        self._close_turn()

    def _close_turn(self) -> None:
        turn = self._conversation.take_turn()
        if turn is not None:
            self._conversation.close_unanswered(turn)

    def _apologise(self, error: ErrorCode | None = None) -> None:
        if self._config.apology:
            reply = self._new_reply()
            reply.excuses = error
            self._replier.say(reply, self._config.apology)

    def _end(self, reason: EndReason) -> None:
        self._conversation.need_active("stop")
        self._conversation.close_reply(interrupted=True)
        turn = self._conversation.take_turn() or self._conversation.kept
        if turn is not None:
            self._conversation.close_unanswered(turn)
        self._conversation.drop_waiting()
        self._desk.cancel_all()
        self._desk.deadlines.clear_all()
        self._conversation.become(SessionState.ENDED)
        if self._has_agent:
            self._desk.give(Notify("session.ended", reason=reason, history=self.history))
        self._desk.tell(Ended(reason))
        self._desk.give(End(reason))

    # --- small things -------------------------------------------------------------------------------------------

    def _new_reply(self) -> Reply:
        return self._replier.new_reply(self._desk.next_turn_id())

    def _tell_error(self, code: ErrorCode, message: str, *, retryable: bool) -> None:
        reply = self._replier.reply
        if reply is not None:
            reply.error = code
            if reply.excuses is code:  # the client was told, and knows no more by hearing it again
                return
        self._desk.tell(ErrorOccurred(code, message, retryable=retryable, fatal=False))


def _need_not_be_answered(reply: Reply | None) -> bool:
    """An agent may know nothing of users who are away, and refuse to hear of it: nobody misses its answer."""
    return reply is not None and reply.ask is not None and reply.ask.type == "user.away"
