"""Whatever the weather: a call that was recorded is decided again in the same way."""

from __future__ import annotations

from hypothesis import given, settings

from session.trace import EngineMade, RecordedEngine, Recorder, read, replay
from tests.sim.test_properties import calls
from tests.sim.world import RATE_HZ, World


@settings(max_examples=40, deadline=None)
@given(calls)
def test_a_recorded_call_is_replayed_to_the_same_commands(world: World) -> None:
    made = EngineMade(world.config, rate_hz=RATE_HZ, detects_turns=True)
    lines: list[str] = []
    engine = RecordedEngine(made.make(), Recorder(lines.append, made))
    for at_ms, event in world.log:
        if event is None:
            engine.handle_timeout(at_ms)
        else:
            engine.handle(event, at_ms)
    steps = replay(lines)

    assert world.log == [(entry.at_ms, entry.event) for entry in read(lines).entries]
    assert world.given == [step.commands for step in steps]
    assert all(step.same for step in steps)
