from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from session.commands import Tell
from session.config import Endpointing, Preemptive, SessionConfig
from session.engine import Engine
from session.errors import ErrorCode, SessionError
from session.events import Event, Heard, HungUp, SpokenWhole, Started, Typed
from session.notices import EndReason, SpeechStarted, SpeechStopped
from session.trace import MAX_BYTES, BrokenTrace, EngineMade, RecordedEngine, Recorder, read, replay, written

MADE = EngineMade(SessionConfig(), rate_hz=16_000, detects_turns=True)


def recording(*events: tuple[int, Event | None], made: EngineMade = MADE, max_bytes: int = MAX_BYTES) -> list[str]:
    lines: list[str] = []
    engine = RecordedEngine(made.make(), Recorder(lines.append, made, max_bytes=max_bytes))
    for at_ms, event in events:
        if event is None:
            engine.handle_timeout(at_ms)
        else:
            engine.handle(event, at_ms)
    return lines


A_CALL: list[tuple[int, Event | None]] = [
    (1_000, Started("Hello.")),
    (1_020, Heard(20, 0.1, 1_018)),
    (1_500, Typed("what time is it? Grüße \ud800")),
    (1_600, SpokenWhole(77)),
    (20_000, None),
    (20_100, HungUp(EndReason.CLIENT)),
]


def values_of(hint: object) -> list[Any]:
    """Some values of a type: of a union, one of each arm."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return [value for arm in arguments for value in values_of(arm)]
    if origin is tuple:
        return [(), tuple(values_of(arguments[0]))]
    if origin is Literal:
        return list(arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return every(hint)
    samples: dict[object, list[Any]] = {
        str: ["a", "naïve, \n\u2028 \ud800"],
        int: [0, -3],
        float: [0.5, 2 / 3, 1],
        bool: [True, False],
        NoneType: [None],
    }
    return samples[hint]


def every(kind: type) -> list[Any]:
    """Values of a dataclass such that each field has each of its values once."""
    hints = get_type_hints(kind)
    each = {field.name: values_of(hints[field.name]) for field in fields(kind)}
    most = max((len(values) for values in each.values()), default=1)
    return [kind(**{name: values[at % len(values)] for name, values in each.items()}) for at in range(most)]


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_is_read_as_it_was_written(kind: type[Event]) -> None:
    header = recording()
    for event in every(kind):
        line = json.dumps({"at_ms": 7, "event": written(event)})

        assert [event] == [entry.event for entry in read([*header, line]).entries]


def test_what_an_engine_is_made_with_is_what_is_recorded() -> None:
    taken = list(inspect.signature(Engine).parameters)

    assert taken == [field.name for field in fields(EngineMade)]


def test_what_was_added_to_an_engine_since_has_a_default() -> None:
    needed = [field.name for field in fields(EngineMade) if field.default is MISSING]

    assert ["config", "rate_hz", "detects_turns"] == needed


def test_the_settings_are_read_as_they_were_written() -> None:
    config = SessionConfig(
        session_id="7",
        timeout="5m",
        user_away_timeout=None,
        keep_alive_interval=timedelta(seconds=12.5),
        retry_delay=0.25,
        endpointing=Endpointing(minimum_silence="300ms"),
        preemptive=Preemptive(enabled=True, strategy="discard"),
    )
    made = EngineMade(config, rate_hz=8_000, detects_turns=False, has_agent=False)

    assert replace(made, config=replace(config, keep_alive_interval="12500ms")) == read(recording(made=made)).made


def test_a_replay_gives_the_same_commands() -> None:
    engine = MADE.make()
    given = [engine.handle_timeout(at_ms) if event is None else engine.handle(event, at_ms) for at_ms, event in A_CALL]
    replayed = replay(recording(*A_CALL))

    assert given == [step.commands for step in replayed]
    assert all(step.same for step in replayed)
    assert [at_ms for at_ms, _ in A_CALL] == [step.entry.at_ms for step in replayed]


def test_a_session_that_starts_again_is_replayed() -> None:
    again = [*A_CALL, (30_000, Started()), (30_050, Typed("hello"))]

    assert all(step.same for step in replay(recording(*again)))


def test_a_command_that_was_another_is_pointed_out() -> None:
    lines = recording(*A_CALL)
    lines[3] = lines[3].replace('"final":true', '"final":false')
    differs = [step.entry.line for step in replay(lines) if not step.same]

    assert [4] == differs


def test_other_settings_may_be_tried_on_a_recording() -> None:
    lines = recording((0, Started("Hello.")), (60_000, None))
    steps = replay(lines, config=SessionConfig(tts_timeout="90s", user_away_timeout=None))

    assert [True, False] == [step.same for step in steps]


def test_two_notices_of_the_same_fields_are_told_apart() -> None:
    assert written(Tell(SpeechStarted(1))) != written(Tell(SpeechStopped(1)))


def test_a_mistake_of_the_caller_is_recorded_and_replayed() -> None:
    lines: list[str] = []
    engine = RecordedEngine(MADE.make(), Recorder(lines.append, MADE))
    with pytest.raises(SessionError):
        engine.handle(Typed("hello"), 5)
    (step,) = replay(lines)

    assert ErrorCode.SESSION_NOT_ACTIVE == step.raised == step.entry.raised
    assert step.same


def test_a_recorded_engine_shows_what_the_engine_shows() -> None:
    inside = MADE.make()
    engine = RecordedEngine(inside, Recorder(lambda _: None, MADE))
    engine.handle(Started("Hello."), 5)

    assert (inside.state, inside.active, inside.history) == (engine.state, engine.active, engine.history)
    assert inside.next_deadline() == engine.next_deadline()


def test_a_recording_has_a_limit_and_says_that_it_was_reached() -> None:
    lines = recording(*A_CALL, max_bytes=2_500)
    trace = read(lines)

    assert trace.cut
    assert sum(len(line) + 1 for line in lines[:-1]) <= 2_500
    assert 0 < len(trace.entries) < len(A_CALL)
    assert all(step.same for step in replay(lines))


def test_a_whole_recording_is_not_cut() -> None:
    assert not read(recording(*A_CALL)).cut


def test_a_scorer_of_ones_own_is_no_text_and_must_be_given_to_the_replay() -> None:
    def alike(_one: str, _other: str) -> float:
        return 1.0

    config = SessionConfig(preemptive=Preemptive(enabled=True, scorer=alike))
    lines = recording(*A_CALL, made=replace(MADE, config=config))
    with pytest.raises(BrokenTrace, match=r"line 1: engine.config.preemptive.scorer is 'function .*alike'"):
        replay(lines)

    assert config == read(lines, config=config).made.config
    assert all(step.same for step in replay(lines, config=config))


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, "[]", r"line 1: '\[\]' is no JSON object"),
        (1, '{"trace": 99}', r"line 1: a trace of format 1 begins with its format"),
        (1, '{"trace": 1, "engine": {"rate_hz": 1}}', r"line 1: engine: .*missing"),
        (2, "{", r"line 2: not JSON"),
        (2, '{"at_ms": 1}', r"line 2: there is no event"),
        (2, '{"at_ms": 1.5, "event": null}', r"line 2: at_ms is 1.5, not a whole number"),
        (2, '{"at_ms": 1, "event": {"is": "Sneezed"}}', r"line 2: 'Sneezed' is no event"),
        (2, '{"at_ms": 1, "event": {"is": "Typed", "text": 5}}', r"line 2: Typed.text is 5"),
        (2, '{"at_ms": 1, "event": {"is": "Typed", "loud": 5}}', r"line 2: Typed has no loud"),
        (2, '{"at_ms": 1, "event": {"is": "Typed"}}', r"line 2: Typed: .*missing"),
        (2, '{"at_ms": 1, "event": {"is": "HungUp", "reason": "moon"}}', r"line 2: 'moon' is not a valid EndReason"),
        (2, '{"at_ms": 1, "event": null, "gave": {}}', r"line 2: gave is \{\}, not a list"),
    ],
)
def test_a_broken_line_is_named(number: int, line: str, message: str) -> None:
    lines = recording((1, Started()))
    lines[number - 1] = line

    with pytest.raises(BrokenTrace, match=message) as error:
        replay(lines)
    assert number == error.value.line


def test_a_setting_out_of_range_is_named() -> None:
    lines = recording()
    with pytest.raises(BrokenTrace, match=r"line 1: timeout is 1, allowed is 1m to 24h"):
        read([lines[0].replace('"timeout":1800.0', '"timeout":1')])


def test_a_setting_of_no_kind_that_it_has_is_named() -> None:
    lines = recording()
    with pytest.raises(BrokenTrace, match=r"line 1: engine.config.user_away_timeout is \[\]"):
        read([lines[0].replace('"user_away_timeout":30.0', '"user_away_timeout":[]')])


def test_a_line_with_something_strange_is_refused() -> None:
    lines = [*recording(), '{"at_ms": 1, "event": null, "weather": "fine"}']

    with pytest.raises(BrokenTrace, match=r"line 2: weather is nothing that a line has"):
        read(lines)


def test_an_empty_file_is_no_recording() -> None:
    with pytest.raises(BrokenTrace, match="the file is empty"):
        read([])


def test_what_is_no_value_cannot_be_recorded() -> None:
    with pytest.raises(TypeError, match="a set cannot be recorded"):
        written({1})
