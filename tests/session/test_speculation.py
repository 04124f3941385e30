"""Drafts: asked for early, held back, promoted or thrown away; at most one answer is ever heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.config import Preemptive, SessionConfig, Strategy
from session.notices import DraftJudged, ErrorOccurred, ReplyText, TranscriptChanged, TurnDone, TurnOutcome
from session.speculation import keeps, similarity
from session.states import SessionState
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

UNSURE = Weather(verdicts=(0.1,), interim_every_ms=100)
"""The turn ends 2.1 s after the last word: there is time for a draft."""


def world_with(strategy: Strategy, caller: Caller, weather: Weather = UNSURE) -> World:
    config = SessionConfig(preemptive=Preemptive(enabled=True, strategy=strategy))
    return World(caller, weather, config).start()


def asked(world: World) -> list[tuple[str, bool]]:
    return [(ask.transcript, ask.preemptive) for ask in world.asked if ask.type == "turn"]


QUESTION = Caller(Utterance(1_000, "what time is it"))


def test_a_draft_that_matches_is_spoken_at_end_of_turn() -> None:
    world = world_with("use_if_similar", QUESTION).run_until(20_000)
    done = world.replies()[0]

    assert [("what time is it", True)] == asked(world)
    assert [DraftJudged(used=True)] == world.notices(DraftJudged)
    assert [("turn.committed", done.turn_id)] == [(told.type, told.turn_id) for told in world.notified]
    assert [TurnOutcome.ANSWERED] == [turn.outcome for turn in world.notices(TurnDone)]
    assert done.text == done.heard_text
    # Its text and its voice were ready: it is heard with the end of the turn.
    assert done.latency.endpoint_ms == done.latency.response_ms


def test_nothing_of_a_draft_is_told_before_the_turn_is_over() -> None:
    world = world_with("use_if_similar", QUESTION).run_until(20_000)
    final_at_ms = next(at for at, told in world.told if isinstance(told, TranscriptChanged) and told.final)

    assert min(world.told_at(ReplyText)) == final_at_ms
    assert min(frame.at_ms for frame in world.played) == final_at_ms


def test_without_drafts_the_agent_is_asked_at_the_end_of_the_turn() -> None:
    world = World(QUESTION, UNSURE).start().run_until(20_000)

    assert [("what time is it", False)] == asked(world)
    assert [] == world.notices(DraftJudged)


def test_discarding_always_asks_again_under_a_new_number() -> None:
    world = world_with("discard", QUESTION).run_until(20_000)
    draft, final = (ask for ask in world.asked if ask.type == "turn")

    assert [("what time is it", True), ("what time is it", False)] == asked(world)
    assert (draft.turn_id, None) == (final.replaces, draft.replaces)
    assert draft.turn_id != final.turn_id
    assert [DraftJudged(used=False)] == world.notices(DraftJudged)
    assert [final.turn_id] == [done.turn_id for done in world.replies()]


def test_a_user_who_goes_on_voids_the_draft() -> None:
    caller = Caller(Utterance(1_000, "i would like to"), Utterance(3_400, "book a table"))
    world = world_with("use_if_similar", caller, Weather(verdicts=(0.1,), interim_every_ms=100)).run_until(20_000)

    assert [("i would like to", True), ("i would like to book a table", True)] == asked(world)
    assert [False, True] == [judged.used for judged in world.notices(DraftJudged)]
    assert 1 == len(world.replies())


@pytest.mark.parametrize(("strategy", "used"), [("use_if_similar", [False, True]), ("always_use", [True])])
def test_words_that_turn_out_to_be_others(strategy: Strategy, used: list[bool]) -> None:
    """An interim that has settled before the last word was recognised."""
    weather = Weather(verdicts=(0.1,), interim_every_ms=60, stt_final_ms=(100,), agent_first_ms=(10,))
    caller = Caller(Utterance(1_000, "no"))
    world = world_with(strategy, caller, weather)
    world.caller_mishears = "yes i do"
    world.run_until(20_000)

    assert used == [judged.used for judged in world.notices(DraftJudged)]
    assert 1 == len(world.replies())


def test_a_draft_that_fails_costs_only_the_head_start() -> None:
    weather = Weather(verdicts=(0.1,), interim_every_ms=100, agent_fails=("permanent", ""))
    world = world_with("use_if_similar", QUESTION, weather).run_until(20_000)

    assert [("what time is it", True), ("what time is it", False)] == asked(world)
    assert [] == world.notices(ErrorOccurred)
    assert [TurnOutcome.ANSWERED] == [turn.outcome for turn in world.notices(TurnDone)]


def test_a_draft_of_an_agent_with_nothing_to_say_ends_the_turn() -> None:
    weather = Weather(verdicts=(0.1,), interim_every_ms=100, agent_answers=("",))
    world = world_with("use_if_similar", QUESTION, weather).run_until(5_000)

    assert [TurnOutcome.ANSWERED] == [turn.outcome for turn in world.notices(TurnDone)]
    assert SessionState.LISTENING is world.engine.state


def test_somebody_who_hesitates_gets_three_drafts_a_turn_at_most() -> None:
    caller = Caller(*(Utterance(1_000 + 1_500 * number, f"word{number} and") for number in range(6)))
    world = world_with("use_if_similar", caller).run_until(30_000)

    assert 3 == sum(preemptive for _, preemptive in asked(world))
    assert 1 == len(world.replies())


# --- the scorer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "final", "alike"),
    [
        ("What time is it?", "what time is it", 1.0),
        ("is it what time", "What time is it", 1.0),
        ("yes", "no", 0.0),
        ("book a table for two", "book a table for ten", 0.8),
    ],
)
def test_transcripts_are_compared_by_their_words(draft: str, final: str, alike: float) -> None:
    assert alike == pytest.approx(similarity(draft, final))


def test_exactly_the_threshold_is_not_enough() -> None:
    rules = Preemptive(similarity=0.8)

    assert not keeps(rules, "book a table for two", "book a table for ten")
    assert keeps(Preemptive(similarity=0.79), "book a table for two", "book a table for ten")


def test_the_scorer_can_be_replaced() -> None:
    rules = Preemptive(scorer=lambda draft, final: float(draft[0] == final[0]))

    assert keeps(rules, "no", "not at all")
    assert not keeps(rules, "no", "yes")


@given(st.text(), st.text())
def test_similarity_is_a_number_from_0_to_1_whatever_is_said(draft: str, final: str) -> None:
    assert 0.0 <= similarity(draft, final) <= 1.0
    assert 1.0 == similarity(draft, draft)
