"""What holds in any weather: providers that are slow, late, out of order, failing, and callers who talk over them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from session.config import Preemptive, SayOptions, SessionConfig
from session.engine import Engine
from session.events import Attached, Detached, DtmfPressed, InterruptAsked, SayAsked, SayCancelled, Typed
from session.notices import ReplyDone, ReplyStarted, TranscriptChanged, TurnDone
from session.states import SessionState
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather, weathers
from tests.sim.world import RATE_HZ, SPOKEN_MS_PER_CHARACTER, World

CALL_MS = 40_000
DROP_MS = 8_000
"""How long the connection is lost, at most."""

QUIET_MS = 120_000
"""Longer than every stage's limit and every reply that the weather can bring."""

WORDS = [
    "yes",
    "what time is it",
    "stop",
    "uh huh",
    "what time is it",
    "tell me a long story",
    "no wait",
    "book a table for two tonight",
]

utterances = st.builds(
    Utterance,
    at_ms=st.integers(200, CALL_MS - 5_000),
    text=st.sampled_from(["", "", *WORDS, *WORDS]),
    noise_ms=st.sampled_from([40, 150, 400, 1_200]),
)
callers = st.lists(utterances, min_size=3, max_size=10).map(lambda said: Caller(*said))

say_options = st.builds(SayOptions, allow_interruptions=st.booleans())
interventions = st.lists(
    st.tuples(
        st.integers(100, CALL_MS),
        st.one_of(
            st.builds(Typed, st.sampled_from(["hello", "what else"])),
            st.just(InterruptAsked()),
            st.just(DtmfPressed("5")),
            st.builds(SayAsked, st.sampled_from("abc"), st.just("One moment, please. I am looking."), say_options),
            st.builds(SayCancelled, st.sampled_from("abc")),
        ),
    ),
    max_size=5,
)

CONFIG = SessionConfig(timeout="30m", agent_timeout="5s", stt_timeout="3s", tts_timeout="3s", user_away_timeout=None)


def a_call(
    caller: Caller,
    weather: Weather,
    events: list[tuple[int, object]],
    pause_audio_ms: int | None,
    preemptive: Preemptive,
    *,
    dropped: tuple[int, int] | None,
) -> World:
    world = World(caller, weather, replace(CONFIG, preemptive=preemptive)).start()
    for at_ms, event in events:
        world.at(at_ms, event)  # type: ignore[arg-type] # hypothesis gives the union as object
    if dropped is not None:
        lost_ms, for_ms = dropped
        world.at(lost_ms, Detached()).at(lost_ms + for_ms, Attached())
    if pause_audio_ms is not None:
        world.run_until(pause_audio_ms)
        world.audio_flows = False
        world.run_until(pause_audio_ms + 5_000)
        world.audio_flows = True
    world.run_until(CALL_MS + 5_000)
    world.hang_on_silently()
    return world.run_until(CALL_MS + QUIET_MS)


weather_permitting = settings(
    max_examples=100, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
)

preemptives = st.builds(
    Preemptive, enabled=st.booleans(), strategy=st.sampled_from(["discard", "use_if_similar", "always_use"])
)

drops = st.tuples(st.integers(1_000, CALL_MS), st.integers(0, DROP_MS))

calls = st.builds(
    a_call,
    callers,
    weathers(),
    interventions,
    st.one_of(st.none(), st.integers(1_000, CALL_MS)),
    preemptives,
    dropped=st.one_of(st.none(), drops),
)


@weather_permitting
@given(calls)
def test_no_two_replies_overlap(world: World) -> None:
    """Frames of one turn's reply are played in one stretch; once another turn's sound, the first's never does."""
    turns = [_turn_of(world, frame.job) for frame in world.played]
    stretches = [turn for index, turn in enumerate(turns) if index == 0 or turns[index - 1] != turn]

    assert len(stretches) == len(set(stretches))


@weather_permitting
@given(calls)
def test_no_sample_of_a_closed_turn_is_played(world: World) -> None:
    closed = {done.turn_id: at_ms for at_ms, done in world.told if isinstance(done, ReplyDone)}

    for frame in world.played:
        assert frame.at_ms <= closed.get(_turn_of(world, frame.job), frame.at_ms)


@weather_permitting
@given(calls)
def test_every_committed_turn_ends_once_and_the_session_listens_again(world: World) -> None:
    asked = [ask.turn_id for ask in world.asked if ask.type in ("turn", "dtmf") and not ask.preemptive]
    asked += [notify.turn_id for notify in world.notified if notify.type == "turn.committed"]
    done = [notice.turn_id for notice in world.notices(TurnDone)]

    assert len(done) == len(set(done))
    assert set(asked) <= set(done)
    assert world.engine.state is SessionState.LISTENING


@weather_permitting
@given(calls)
def test_a_turn_has_one_final_transcript_and_ends(world: World) -> None:
    finals = [notice.turn_id for notice in world.notices(TranscriptChanged) if notice.final]
    ended = {notice.turn_id for notice in world.notices(TurnDone)}

    assert len(finals) == len(set(finals))
    assert set(finals) <= ended


@weather_permitting
@given(calls)
def test_a_reply_that_has_started_is_done_once(world: World) -> None:
    started = [notice.turn_id for notice in world.notices(ReplyStarted)]
    done = [notice.turn_id for notice in world.replies()]

    assert len(done) == len(set(done))
    assert set(started) <= set(done)


@weather_permitting
@given(calls)
def test_history_is_what_was_played(world: World) -> None:
    sent: dict[int, int] = {}
    for frame in world.played:
        sent[frame.job] = sent.get(frame.job, 0) + frame.samples
    sent_words: dict[str, list[str]] = {}
    for job, samples in sent.items():
        sent_words.setdefault(_turn_of(world, job), []).extend(_words_heard(world, job, samples))
    in_history = [message.text for message in world.engine.history if message.role == "assistant"]

    assert in_history == [done.heard_text for done in world.replies() if done.heard_text]
    for done in world.replies():
        words = done.heard_text.split()
        assert done.text.startswith(done.heard_text)
        assert words == sent_words.get(done.turn_id, [])[: len(words)]
        # What was sent and not heard is the pacer's lead: a tenth of a second, two short words at most.
        assert len(sent_words.get(done.turn_id, [])) - len(words) <= 2


@weather_permitting
@given(calls)
def test_no_state_outlives_its_limit(world: World) -> None:
    limits_ms = {SessionState.PROCESSING: 5_000 * 4 + 3_000 + 5_000 + DROP_MS}
    states = world.states()
    for (since_ms, state), (until_ms, _) in pairwise(states):
        assert until_ms - since_ms <= limits_ms.get(state, CALL_MS + QUIET_MS)


@weather_permitting
@given(calls)
def test_the_same_events_give_the_same_commands(world: World) -> None:
    again = Engine(world.config, rate_hz=RATE_HZ, detects_turns=True)
    given_again = [
        again.handle_timeout(at_ms) if event is None else again.handle(event, at_ms) for at_ms, event in world.log
    ]

    assert world.given == given_again


def test_ten_minutes_of_talk_are_simulated_quickly() -> None:
    """How quickly is measured in ``bench/engine.py``; here: that a call of ten minutes is an ordinary test."""
    said = [Utterance(at_ms, "tell me what time it is") for at_ms in range(1_000, 590_000, 12_000)]
    world = World(Caller(*said)).start().run_until(600_000)

    answered = [done for done in world.notices(TurnDone) if done.outcome == "answered"]
    assert len(said) == len(answered)


def _turn_of(world: World, job: int) -> str:
    return world.turn_of_job[job]


def _words_heard(world: World, job: int, samples: int) -> list[str]:
    text = world.says[job].text
    length = len(text) * SPOKEN_MS_PER_CHARACTER * RATE_HZ // 1000
    words, letters = text.split(), sum(map(len, text.split()))
    heard, so_far = [], 0
    for word in words:
        middle = length * (so_far + len(word) / 2) / letters
        if middle <= samples:
            heard.append(word)
        so_far += len(word)
    return heard
