"""Preemptive generation: the agent is asked before the turn is over, and its draft is kept or thrown away.

A draft is a reply that nobody knows of yet: its text and its audio are made and held back. At the end of the turn it
becomes the reply, or the agent is asked again under a new number that replaces the draft's. It is asked for at the
onset of silence, where the interim transcript has settled, or when the final transcript is there and the silence has
to last some more.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher

from session.bargein import words
from session.commands import Ask, Notify
from session.config import Preemptive
from session.conversation import Conversation
from session.desk import Desk
from session.listening import UserTurn
from session.notices import DraftJudged
from session.replying import Reply
from session.states import SessionState

__all__ = ("MAX_DRAFTS", "Speculator", "keeps", "similarity")

MAX_DRAFTS = 3
"""How often the agent is asked in vain within one turn of somebody who hesitates."""


def similarity(draft: str, final: str) -> float:
    """How alike two transcripts are, 0 to 1: by their words, whatever their case, punctuation and order."""
    return SequenceMatcher(None, sorted(words(draft)), sorted(words(final)), autojunk=False).ratio()


def keeps(rules: Preemptive, draft: str, final: str) -> bool:
    """Whether the answer to ``draft`` is the answer to ``final``. Exactly the threshold is not enough."""
    match rules.strategy:
        case "always_use":
            return True
        case "discard":
            return False
        case "use_if_similar":
            return (rules.scorer or similarity)(draft, final) > rules.similarity


class Speculator:
    """Keeps the draft, which is the open reply that nobody knows of."""

    def __init__(self, desk: Desk, rules: Preemptive, conversation: Conversation) -> None:
        self._desk = desk
        self._rules = rules
        self._conversation = conversation
        self._listener = conversation.listener
        self._replier = conversation.replier

    @property
    def draft(self) -> Reply | None:
        reply = self._replier.reply
        return reply if reply is not None and reply.draft else None

    def consider(self) -> None:
        """Ask before the turn is over; drop a draft once the user goes on or their words turn out to be others."""
        turn, draft = self._listener.turn, self.draft
        if turn is None:
            return
        if draft is not None and draft.ask is not None:
            outdated = self._listener.finals_are_in and self._rules.strategy == "use_if_similar"
            if self._listener.goes_on or (outdated and not keeps(self._rules, draft.ask.transcript, turn.text)):
                self.discard(turn)
        free = self._replier.reply is None and turn.drafts < MAX_DRAFTS
        if free and self._listener.asks_early and not self._listener.finished:
            turn.drafts += 1
            reply = self._replier.new_reply(turn.turn_id)
            reply.draft = True
            self._replier.ask(reply, replace(self._conversation.ask_of(turn), preemptive=True))

    def answer(self, turn: UserTurn) -> bool:
        """The turn is over: True when its draft is the answer; else there is none any more."""
        draft = self.draft
        if draft is None or draft.ask is None:
            return False
        if not keeps(self._rules, draft.ask.transcript, turn.text):
            self.discard(turn)
            return False
        self._promote(draft, draft.ask, turn)
        return True

    def discard(self, turn: UserTurn) -> None:
        """What is asked next goes by a number of its own."""
        draft = self.draft
        if draft is not None:
            self._conversation.close_reply(interrupted=False)
            turn.replaces, turn.turn_id = draft.turn_id, self._desk.next_turn_id()

    def give_up(self) -> None:
        """A draft that fails costs nothing but the head start: the agent is asked when the turn is over."""
        turn = self._listener.turn
        if turn is not None:
            self.discard(turn)
            turn.drafts = MAX_DRAFTS

    def _promote(self, draft: Reply, ask: Ask, turn: UserTurn) -> None:
        self._conversation.tell_transcript(turn, final=True)
        history = self._conversation.history.messages
        self._conversation.history.user_said(turn.text)
        self._conversation.become(SessionState.PROCESSING)
        draft.user_turn = True
        draft.ask = replace(ask, transcript=turn.text, preemptive=False)
        draft.spoken_end_ms = turn.last_voiced_arrived_ms
        marks = self._conversation.latency_of(turn)
        draft.latency = replace(draft.latency, endpoint_ms=marks.endpoint_ms, stt_ms=marks.stt_ms)
        self._desk.give(Notify("turn.committed", draft.turn_id, history=history))
        self._desk.tell(DraftJudged(used=True))
        self._replier.promote()
