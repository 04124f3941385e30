"""The user's turn: from the first sound to the silence that ends it.

The transcription runs while they speak. Its final is asked for at the onset of silence, the turn detector judges it
when it comes, and how long the silence must last follows from the verdict. Speech that goes on voids both.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.api import Message
from providers.overlap import continuation
from session.commands import Feed, Finalise, JudgeTurn
from session.config import SessionConfig
from session.desk import Desk
from session.echo import EchoGuard, Overlap
from session.endpointing import FINALISE_AFTER_MS, Hearing, wait_ms
from session.events import Failed, Heard, Judged, Transcribed
from session.notices import SpeechStarted, SpeechStopped, TranscriptChanged
from session.recovery import retry_delay_ms

__all__ = ("Listener", "UserTurn")

AUDIO_GAP_MS = 400
"""A caller whose audio stops coming (muted, or gone) is taken to be silent after this; else a turn would never end."""

OVERLAP_MS = 2_000
"""Whoever speaks on past the longest utterance is heard again from so long before its end: the texts of the two turns
are joined by the words that both have."""

HELD_BACK_WORDS = 3
"""So many words before a cut are understood better by who hears what comes after them, too."""


@dataclass(slots=True)
class UserTurn:
    """``before``: what they had said already, in a turn that this one goes on with; ``replaces``: that turn, where the
    agent was asked it. ``cut_ms``: where in the caller's audio it was ended at its limit, though they went on, and
    ``understood``: what was understood up to there, of which ``spoken`` leaves the last words to the next turn. That
    one ``follows`` it; ``told_words`` of ``understood_before`` were told already.
    """

    turn_id: str
    before: str = ""
    replaces: str | None = None
    spoken: str = ""
    told: str = ""
    language: str | None = None
    confidence: float | None = None
    voiced_ms: int = 0
    last_voiced_arrived_ms: int | None = None
    asked_ms: int | None = None
    stt_ms: int | None = None
    asked_finals: int = 0
    received_finals: int = 0
    verdict: float | None = None
    failed: str | None = None
    settled: bool = False
    drafts: int = 0
    tries: int = 1

    overlap: Overlap | None = None

    cut_ms: int | None = None
    understood: str = ""
    follows: str | None = None
    understood_before: str = ""
    told_words: int = 0

    @property
    def text(self) -> str:
        return f"{self.before} {self.spoken}".strip()

    def carried_on(self) -> UserTurn:
        """A new turn that begins with what was said in this one, under the same number."""
        return UserTurn(self.turn_id, before=self.text, replaces=self.replaces, told=self.told)


class Listener:
    """Holds the open turn, if any. It never decides about a reply: the engine does."""

    def __init__(self, desk: Desk, config: SessionConfig, *, rate_hz: int, detects_turns: bool) -> None:
        self.hearing = Hearing()
        self.echo = EchoGuard(rate_hz)
        self.turn: UserTurn | None = None
        self._desk = desk
        self._config = config
        self._detects_turns = detects_turns
        self._stt_job: int | None = None
        self._judge_job: int | None = None
        self._quiet = False

    @property
    def finals_are_in(self) -> bool:
        """Whether the text of the turn covers everything that was said in it."""
        turn = self.turn
        if turn is None or self._desk.deadlines.is_set("retry_stt"):
            return False
        return turn.failed is not None or (self._quiet and turn.received_finals == turn.asked_finals)

    @property
    def finished(self) -> bool:
        """Whether the turn is over: silence for as long as the verdict asks, and the final transcript is there."""
        if self.turn is None or not self.finals_are_in:
            return False
        if self.turn.cut_ms is not None:
            return True
        if self.hearing.may_begin_again and self.hearing.silence_ms < self._config.endpointing.maximum_silence_ms:
            return False
        if not self.turn.spoken:
            return self.hearing.silence_ms >= self._config.endpointing.minimum_silence_ms
        return self.hearing.silence_ms >= wait_ms(self._config.endpointing, self.turn.verdict)

    @property
    def asks_early(self) -> bool:
        """Whether the user is silent, perhaps for good, and what they said has settled: time for a draft."""
        turn = self.turn
        return turn is not None and self._quiet and turn.settled and bool(turn.spoken) and turn.failed is None

    @property
    def goes_on(self) -> bool:
        """Whether the user has not fallen silent: what they will have said is not known."""
        return self.turn is not None and not self._quiet

    def hear(self, heard: Heard, carried: UserTurn | None) -> bool:
        """The next window. True when speech begins: unless a turn is open it opens one, or goes on with ``carried``."""
        begins = self.hearing.hear(heard)
        self.echo.is_cancelled = heard.line_echoes
        if begins:
            self._desk.tell(SpeechStarted(self.hearing.onset_ms))
            if self.turn is None:
                self._open(carried)
        turn = self.turn
        if turn is None:
            return begins
        self._desk.deadlines.set("audio_gap", self._desk.now_ms + AUDIO_GAP_MS)
        if not self.hearing.speaking:
            return begins
        if turn.cut_ms is not None:
            self._silence(turn)
        elif self.hearing.voiced_now:
            turn.voiced_ms += self.hearing.voiced_ms if begins else heard.span_ms
            turn.last_voiced_arrived_ms = heard.arrived_ms
            if turn.voiced_ms >= self._config.max_utterance_ms:
                self._end_overlong(turn)
            else:
                self._void_final(turn)
        else:
            self._silence(turn)
        return begins

    def gap(self) -> None:
        """No audio came: it counts as silence."""
        if self.turn is not None:
            self.hear(Heard(AUDIO_GAP_MS, 0.0, self._desk.now_ms), None)

    def transcribed(self, event: Transcribed, history: tuple[Message, ...]) -> None:
        turn = self.turn
        if turn is None or (self.finals_are_in and not event.final):
            return  # a late interim knows less than the final
        if event.final:
            turn.received_finals += 1
            if turn.received_finals == turn.asked_finals:
                self._desk.deadlines.clear("final")
        heard = event.text.strip()
        if turn.understood_before:
            heard = continuation(turn.understood_before, heard, OVERLAP_MS, told_words=turn.told_words)
        spoken = self.echo.own_words(heard, turn.overlap, turn.voiced_ms, final=event.final)
        turn.settled = event.final or spoken == turn.spoken
        turn.spoken, turn.language, turn.confidence = spoken, event.language, event.confidence
        if turn.text != turn.told and turn.text:
            turn.told = turn.text
            self._desk.tell(TranscriptChanged(turn.turn_id, turn.text, False, turn.language, turn.confidence))  # noqa: FBT003 -- an interim
        if event.final and self.finals_are_in:
            turn.stt_ms = None if turn.asked_ms is None else self._desk.now_ms - turn.asked_ms
            if self._detects_turns and turn.spoken:
                self._judge_job = self._desk.open("turn")
                self._desk.give(JudgeTurn(self._judge_job, turn.turn_id, turn.text, turn.language, history))

    def judged(self, event: Judged) -> None:
        self._desk.close(event.job)
        if self.turn is not None:
            self.turn.verdict = event.probability

    def failed(self, event: Failed) -> None:
        """The transcription failed: once more from the start of the utterance, or the turn keeps what it has."""
        self._desk.close(event.job)
        self._desk.deadlines.clear("final")
        if self.turn is None:
            return
        due_since_ms = self._desk.now_ms if self.turn.asked_ms is None else self.turn.asked_ms
        left_ms = due_since_ms + self._config.stt_timeout_ms - self._desk.now_ms
        delay_ms = retry_delay_ms(self._config, event, tries=self.turn.tries, left_ms=left_ms)
        if delay_ms is None:
            self.turn.failed = event.message
        else:
            self._desk.deadlines.set("retry_stt", self._desk.now_ms + delay_ms)

    def final_is_late(self) -> None:
        if self.turn is not None:
            self._desk.cancel(self._stt_job)
            self.turn.failed = f"no final transcript within {self._config.stt_timeout_ms} ms"

    def retry(self) -> None:
        turn = self.turn
        if turn is None:
            return
        turn.tries += 1
        turn.asked_finals = turn.received_finals = 0
        self._stt_job = self._desk.open("stt")
        self._desk.give(Feed(self._stt_job, turn.turn_id, again=True))
        if self._quiet:
            self._finalise(turn)

    def take(self) -> UserTurn | None:
        """Close the turn and hand it over; later sound is another turn."""
        turn, self.turn = self.turn, None
        self._desk.cancel(self._stt_job)
        self._desk.cancel(self._judge_job)
        self._desk.deadlines.clear("audio_gap", "final", "retry_stt")
        self._stt_job = self._judge_job = None
        self._quiet = False
        if self.hearing.speaking:
            self._stop(turn)
        return turn

    def hold_back(self, turn: UserTurn) -> bool:
        """Whether the user went on past the limit that ended ``turn``. Then its last words, which may have been cut in
        two, are left to the turn that follows."""
        if turn.cut_ms is None:
            return False
        if self.hearing.last_voiced_ms <= turn.cut_ms and self.hearing.silence_ms >= FINALISE_AFTER_MS:
            return False  # they stopped just there
        turn.understood, said = turn.spoken, turn.spoken.split()
        turn.spoken = " ".join(said[: len(said) - min(HELD_BACK_WORDS, len(said) // 2)])
        return True

    def follow(self, turn: UserTurn, *, as_the_same: bool = False) -> None:
        """Open the turn that the user is in since ``turn`` was ended at its limit: it is heard from a little before.

        ``as_the_same``: nobody was asked yet, so it goes on under its number.
        """
        hearing, cut_ms = self.hearing, turn.cut_ms or 0
        told_words = len(turn.spoken.split())
        following = turn.carried_on() if as_the_same else UserTurn(self._desk.next_turn_id(), follows=turn.turn_id)
        following.understood_before, following.told_words = turn.understood, told_words
        following.spoken = " ".join(turn.understood.split()[told_words:])
        following.voiced_ms = hearing.last_voiced_ms - cut_ms
        following.last_voiced_arrived_ms = hearing.last_voiced_arrived_ms
        self._open(following, back_ms=hearing.position_ms - cut_ms + OVERLAP_MS)
        self._desk.deadlines.set("audio_gap", self._desk.now_ms + AUDIO_GAP_MS)
        if hearing.silence_ms < self._config.endpointing.minimum_silence_ms:
            hearing.go_on(cut_ms)
            self._desk.tell(SpeechStarted(cut_ms))
        else:
            self._quiet = True
            self._finalise(following)

    def _open(self, carried: UserTurn | None, *, back_ms: int | None = None) -> None:
        self.turn = carried or UserTurn(self._desk.next_turn_id())
        self._quiet = False
        self._stt_job = self._desk.open("stt")
        self._desk.give(Feed(self._stt_job, self.turn.turn_id, back_ms=back_ms))

    def _silence(self, turn: UserTurn) -> None:
        least_ms = self._config.endpointing.minimum_silence_ms
        if self.hearing.silence_ms >= min(FINALISE_AFTER_MS, least_ms) and not self._quiet:
            self._quiet = True
            self._finalise(turn)
        if self.hearing.silence_ms >= least_ms:
            self._stop(turn)

    def _stop(self, turn: UserTurn | None) -> None:
        cut_ms = None if turn is None else turn.cut_ms
        self.hearing.stop()
        self._desk.tell(SpeechStopped(self.hearing.last_voiced_ms if cut_ms is None else cut_ms))

    def _finalise(self, turn: UserTurn) -> None:
        if self._stt_job is None or self._desk.stage(self._stt_job) is None:
            return
        turn.asked_finals += 1
        if turn.asked_ms is None:  # else it is asked for again: the tries have one limit together
            turn.asked_ms = self._desk.now_ms
        self._desk.deadlines.set("final", turn.asked_ms + self._config.stt_timeout_ms)
        self._desk.give(Finalise(self._stt_job, in_speech=turn.cut_ms is not None))

    def _void_final(self, turn: UserTurn) -> None:
        if self._quiet:
            self._quiet = False
            turn.verdict = turn.asked_ms = None
            self._desk.cancel(self._judge_job)
            self._desk.deadlines.clear("final")

    def _end_overlong(self, turn: UserTurn) -> None:
        """They may say no more in this turn: the final is asked for at once, and ends it."""
        self._void_final(turn)
        turn.cut_ms = self.hearing.position_ms
        self._quiet = True
        self._finalise(turn)
