"""One reply: asked of the agent or given by ``say``, cut into pieces, synthesised, played, and over.

At most one reply is open at a time, so what is queued for playout is always of that one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from session.commands import Ask, Clear, Pause, Play, Rewind, Say
from session.config import SayOptions, SessionConfig
from session.desk import Desk
from session.errors import ErrorCode
from session.events import AgentDid, AgentSaid, Failed, Played, Spoken
from session.notices import Latency, ReplyStarted, ReplyText
from session.playout import Playout
from session.recovery import retry_delay_ms
from session.segments import Segmenter

__all__ = ("Replier", "Reply")

AHEAD_MS = 10_000
"""No more than this is synthesised ahead of what was heard: what an interruption throws away is bounded."""

STALLED_MS = 3_000
"""Audio that is queued and not held moves on every 20 ms; one that does not for so long never will."""


@dataclass(slots=True)
class Reply:
    """``user_turn``: a turn of the user's waits for this answer. ``draft``: nobody knows of it, and nobody hears it.
    ``asked_ms``, ``saying_since_ms``, ``said_ms`` and ``heard_since_ms`` are marks on the clock. ``acted``: the agent
    asked for something to be done. ``error``: what the client was told last of it. ``excuses``: of an apology, the
    error that it is for."""

    turn_id: str
    playout: Playout
    ask: Ask | None = None
    options: SayOptions = field(default_factory=SayOptions)
    utterance_id: str | None = None
    user_turn: bool = False
    draft: bool = False
    told: bool = False
    spoken_end_ms: int | None = None
    latency: Latency = field(default_factory=Latency)
    segmenter: Segmenter = field(default_factory=Segmenter)
    pieces: list[str] = field(default_factory=list)
    unsaid: deque[str] = field(default_factory=deque)
    agent_job: int | None = None
    say_job: int | None = None
    saying: str | None = None
    saying_since_ms: int = 0
    saying_began: bool = False
    agent_tries: int = 1
    say_tries: int = 1
    asked_ms: int = 0
    said_ms: int | None = None
    heard_since_ms: int | None = None
    playing: bool = False
    held: bool = False
    stop_ms: int | None = None
    paused_told: bool = False
    hold_is_spent: bool = False
    acted: bool = False
    last_action: AgentDid | None = None
    heard_text: str = ""
    failed: bool = False
    error: ErrorCode | None = None
    excuses: ErrorCode | None = None

    @property
    def text(self) -> str:
        return " ".join(self.pieces)

    @property
    def audible(self) -> bool:
        """Whether anything of it was sent."""
        return self.playout.sent_samples > 0


class Replier:
    def __init__(self, desk: Desk, config: SessionConfig, rate_hz: int) -> None:
        self.reply: Reply | None = None
        self.attached = True
        self._has_room = True
        self._desk = desk
        self._config = config
        self._rate_hz = rate_hz

    @property
    def finished(self) -> bool:
        """Whether the open reply has been heard to its end, or has nothing that could be."""
        reply = self.reply
        return (
            reply is not None
            and not reply.draft
            and reply.agent_job is None
            and not self._desk.deadlines.is_set("retry_agent")
            and reply.saying is None
            and not reply.unsaid
            and reply.playout.heard_all
        )

    # --- opening ------------------------------------------------------------------------------------------------

    def new_reply(self, turn_id: str) -> Reply:
        return Reply(turn_id, Playout(self._rate_hz))

    def ask(self, reply: Reply, ask: Ask) -> None:
        """Open a reply that the agent gives; ``ask.job`` is filled in here."""
        self.reply = reply
        reply.ask = ask
        reply.asked_ms = self._desk.now_ms
        self._ask_again(reply, ask)
        self._desk.deadlines.set("agent", self._desk.now_ms + self._config.agent_timeout_ms)

    def say(self, reply: Reply, text: str) -> None:
        """Open a reply whose text is given."""
        self.reply = reply
        self._add(reply, [*reply.segmenter.push(text), *reply.segmenter.flush()])

    def promote(self) -> None:
        """The draft is the reply."""
        reply = self.reply
        if reply is not None:
            reply.draft = False
            for piece in reply.pieces:
                self._tell_text(reply, piece)
            self._play(reply)

    # --- the agent ----------------------------------------------------------------------------------------------

    def agent_said(self, event: AgentSaid) -> None:
        reply = self.reply
        if reply is None:
            return
        if reply.latency.agent_ms is None:
            reply.latency = replace(reply.latency, agent_ms=self._desk.now_ms - reply.asked_ms)
        pieces = reply.segmenter.push(event.delta)
        if pieces:  # text that never becomes a piece is as good as none: it does not put the limit off
            self._desk.deadlines.set("agent", self._desk.now_ms + self._config.agent_timeout_ms)
        self._add(reply, pieces)

    def agent_finished(self) -> None:
        reply = self.reply
        if reply is None:
            return
        self._close_agent(reply)
        self._add(reply, reply.segmenter.flush())

    def agent_failed(self, event: Failed) -> bool:
        """True when it is given up: nothing more of the text will come."""
        reply = self.reply
        if reply is None:
            return False
        self._desk.close(reply.agent_job)
        reply.agent_job = None
        left_ms = reply.asked_ms + self._config.agent_timeout_ms - self._desk.now_ms
        delay_ms = retry_delay_ms(self._config, event, tries=reply.agent_tries, left_ms=left_ms)
        if delay_ms is None or reply.acted or reply.latency.agent_ms is not None:
            self._give_up_agent(reply)
            return True
        self._desk.deadlines.set("retry_agent", self._desk.now_ms + delay_ms)
        return False

    def agent_is_late(self) -> None:
        if self.reply is not None:
            self._desk.cancel(self.reply.agent_job)
            self._give_up_agent(self.reply)

    def retry_agent(self) -> None:
        if self.reply is not None and self.reply.ask is not None:
            self.reply.agent_tries += 1
            self._ask_again(self.reply, self.reply.ask)

    # --- the voice ----------------------------------------------------------------------------------------------

    def spoken(self, event: Spoken) -> None:
        reply = self.reply
        if reply is None or reply.saying is None or not (event.samples > 0 or event.words):
            return
        if event.samples > 0 and reply.latency.tts_ms is None and reply.said_ms is not None:
            reply.latency = replace(reply.latency, tts_ms=self._desk.now_ms - reply.said_ms)
        if not reply.saying_began:
            reply.saying_began = True
            reply.playout.begin_piece(reply.saying)
        reply.playout.spoken(event.samples, event.words)
        self._desk.deadlines.set("tts", self._desk.now_ms + self._config.tts_timeout_ms)
        self._play(reply)

    def spoken_whole(self) -> None:
        reply = self.reply
        if reply is None:
            return
        if reply.saying_began:
            reply.playout.spoken_whole()
        self._close_saying(reply)
        self._say_next(reply)

    def speech_failed(self, event: Failed) -> bool:
        """True when it is given up: what is queued is still played, the rest is not said."""
        reply = self.reply
        if reply is None:
            return False
        self._desk.close(reply.say_job)
        left_ms = reply.saying_since_ms + self._config.tts_timeout_ms - self._desk.now_ms
        delay_ms = retry_delay_ms(self._config, event, tries=reply.say_tries, left_ms=left_ms)
        if delay_ms is None or reply.audible or reply.saying_began:
            self._give_up_speech(reply)
            return True
        self._desk.deadlines.set("retry_tts", self._desk.now_ms + delay_ms)
        return False

    def speech_is_late(self) -> None:
        if self.reply is not None:
            self._desk.cancel(self.reply.say_job)
            self._give_up_speech(self.reply)

    def retry_speech(self) -> None:
        reply = self.reply
        if reply is not None and reply.saying is not None:
            reply.say_tries += 1
            self._synthesise(reply, reply.saying)

    # --- playout ------------------------------------------------------------------------------------------------

    def played(self, event: Played) -> bool:
        """Move the playout position; True with the first frame that is sent."""
        reply = self.reply
        if reply is None or reply.turn_id != event.turn_id:
            return False
        was_audible = reply.audible
        if reply.playout.played(event.sent_samples, event.heard_samples):
            self._watch_playout(reply)
            self._say_next(reply)
        if was_audible or not reply.audible:
            return False
        reply.heard_since_ms = self._desk.now_ms
        if reply.spoken_end_ms is not None:
            reply.latency = replace(reply.latency, response_ms=self._desk.now_ms - reply.spoken_end_ms)
        return True

    def hold(self) -> None:
        reply = self.reply
        if reply is None or reply.held:
            return
        reply.held = True
        self._stop_playing(reply)

    def release(self) -> None:
        reply = self.reply
        if reply is not None and reply.held:
            reply.held = reply.paused_told = False
            self._play(reply)

    def detach(self) -> None:
        """Nobody listens: what is open waits, and so does what is opened now, whoever holds or releases it."""
        if self.attached and self.reply is not None:
            self._stop_playing(self.reply)
            self._desk.give(Rewind())
        self.attached = False

    def attach(self) -> None:
        was_attached, self.attached, reply = self.attached, True, self.reply
        if was_attached or reply is None:
            return
        if not reply.audible:
            reply.spoken_end_ms = None  # the wait for the connection is no latency of ours
        self._play(reply)

    def room_changed(self, *, has_room: bool) -> None:
        self._has_room = has_room
        if self.reply is not None:
            self._watch_playout(self.reply)

    def playout_stalled(self) -> None:
        """The position does not move any more: what was sent counts as heard, and what was not is given up."""
        reply = self.reply
        if reply is None:
            return
        reply.playout.played(reply.playout.sent_samples, reply.playout.sent_samples)
        if not reply.playout.heard_all:
            reply.failed = True
            reply.playout.give_up()
            self._drop_unsaid(reply)

    def close(self, *, at_listener: bool) -> Reply | None:
        """Cancel all that is open of the reply and hand it over. ``at_listener``: they drop what they have buffered."""
        reply, self.reply = self.reply, None
        if reply is None:
            return None
        self._desk.cancel(reply.agent_job)
        self._desk.cancel(reply.say_job)
        self._desk.deadlines.clear("agent", "retry_agent", "tts", "retry_tts", "playout", "hold")
        self._desk.give(Clear(at_listener=at_listener))
        return reply

    # --- inside -------------------------------------------------------------------------------------------------

    def _ask_again(self, reply: Reply, ask: Ask) -> None:
        reply.agent_job = self._desk.open("agent")
        self._desk.give(replace(ask, job=reply.agent_job))

    def _close_agent(self, reply: Reply) -> None:
        self._desk.close(reply.agent_job)
        reply.agent_job = None
        self._desk.deadlines.clear("agent", "retry_agent")

    def _give_up_agent(self, reply: Reply) -> None:
        reply.failed = True
        self._close_agent(reply)
        self._add(reply, reply.segmenter.flush())

    def _give_up_speech(self, reply: Reply) -> None:
        """The piece that broke stays unfinished: how much of its text was heard goes by its ordinary length."""
        reply.failed = True
        self._desk.cancel(reply.agent_job)
        self._close_agent(reply)
        self._drop_unsaid(reply)

    def _drop_unsaid(self, reply: Reply) -> None:
        self._desk.cancel(reply.say_job)
        self._close_saying(reply)
        reply.unsaid.clear()

    def _add(self, reply: Reply, pieces: list[str]) -> None:
        for piece in pieces:
            reply.pieces.append(piece)
            reply.unsaid.append(piece)
            if not reply.draft:
                self._tell_text(reply, piece)
        self._say_next(reply)

    def _tell_text(self, reply: Reply, piece: str) -> None:
        if not reply.told:
            reply.told = True
            self._desk.tell(ReplyStarted(reply.turn_id))
        self._desk.tell(ReplyText(reply.turn_id, piece))

    def _say_next(self, reply: Reply) -> None:
        if reply.saying is None and reply.unsaid and reply.playout.ahead_ms < AHEAD_MS:
            reply.saying = reply.unsaid.popleft()
            reply.say_tries = 1
            reply.saying_since_ms = self._desk.now_ms
            self._synthesise(reply, reply.saying)

    def _synthesise(self, reply: Reply, piece: str) -> None:
        reply.say_job = self._desk.open("tts")
        reply.saying_began = False
        if reply.said_ms is None:
            reply.said_ms = self._desk.now_ms
        self._desk.deadlines.set("tts", reply.saying_since_ms + self._config.tts_timeout_ms)
        self._desk.give(Say(reply.say_job, reply.turn_id, piece, reply.options))

    def _close_saying(self, reply: Reply) -> None:
        self._desk.close(reply.say_job)
        reply.say_job = reply.saying = None
        reply.saying_began = False
        self._desk.deadlines.clear("tts", "retry_tts")

    def _play(self, reply: Reply) -> None:
        free = self.attached and not reply.held and not reply.draft
        if free and not reply.playing and reply.playout.queued_samples:
            reply.playing = True
            self._desk.give(Play(reply.turn_id))
        self._watch_playout(reply)

    def _stop_playing(self, reply: Reply) -> None:
        self._desk.deadlines.clear("playout")
        if reply.playing:
            reply.playing = False
            self._desk.give(Pause())

    def _watch_playout(self, reply: Reply) -> None:
        if reply.playing and self._has_room and not reply.playout.heard_all:
            self._desk.deadlines.set("playout", self._desk.now_ms + STALLED_MS)
        else:
            self._desk.deadlines.clear("playout")
