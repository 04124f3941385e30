"""What the engine costs: microseconds a frame, and how much faster than life a call is simulated.

A frame is a window of the caller's audio (``Heard``) or a frame of the reply (``Played``). The baseline in the same run
is the making of the event alone, which any design pays. Target: at most 50 µs a frame.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

from session.commands import Say
from session.config import SayOptions, SessionConfig
from session.engine import Engine
from session.events import Event, Heard, Played, SayAsked, Spoken, SpokenWhole, Started
from tests.sim.caller import Caller, Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

FRAMES = 20_000
ROUNDS = 5
RATE_HZ = 16_000


def per_frame_us(make: Callable[[int], Event], handle: Callable[[Event, int], object]) -> float:
    """The median over the rounds of the mean cost of a frame."""
    costs = []
    for _ in range(ROUNDS):
        gc.collect()
        began_s = time.perf_counter()
        for index in range(FRAMES):
            handle(make(index), index * 20)
        costs.append((time.perf_counter() - began_s) / FRAMES * 1e6)
    return statistics.median(costs)


def ignore(_event: Event, _now_ms: int) -> None:
    return None


class Call:
    """An engine in the middle of a call. Rounds follow one another on its clock."""

    def __init__(self) -> None:
        config = SessionConfig(timeout="24h", user_away_timeout=None, max_utterance="10m")
        self.engine = Engine(config, rate_hz=RATE_HZ, detects_turns=True, has_agent=False)
        self.now_ms = 0
        self.engine.handle(Started(), 0)

    def handle(self, event: Event, _now_ms: int) -> object:
        self.now_ms += 20
        return self.engine.handle(event, self.now_ms)

    def timeouts(self) -> None:
        self.engine.handle_timeout(self.now_ms)


def speaking_call() -> Call:
    call = Call()
    commands = call.engine.handle(SayAsked("a", "word " * 10, SayOptions()), 0)
    job = next(command.job for command in commands if isinstance(command, Say))
    call.engine.handle(Spoken(job, RATE_HZ * 3_600), 0)
    call.engine.handle(SpokenWhole(job), 0)
    return call


def main() -> None:
    baseline = per_frame_us(lambda _: Heard(20, 0.05, 0), ignore)
    silent, talking, reply, both = Call(), Call(), speaking_call(), speaking_call()

    def played(index: int) -> Event:
        return Played("1", (index + 1) * 320, index * 320)

    print(f"{'frames of':<44}{'µs a frame':>12}")
    print(f"{'nothing: the event is made and dropped':<44}{baseline:>12.1f}")
    rows: list[tuple[str, Callable[[int], Event], Call]] = [
        ("a silent caller", lambda _: Heard(20, 0.05, 0), silent),
        ("a caller who talks", lambda _: Heard(20, 0.95, 0), talking),
        ("a reply that is played", played, reply),
        ("a caller who hums into the reply", lambda _: Heard(20, 0.95, 0), both),
    ]
    for name, make, call in rows:
        print(f"{name:<44}{per_frame_us(make, call.handle):>12.1f}")

    said = [Utterance(at_ms, "tell me what time it is") for at_ms in range(1_000, 590_000, 12_000)]
    began_s = time.perf_counter()
    world = World(Caller(*said), Weather()).start().run_until(600_000)
    took_s = time.perf_counter() - began_s
    print(f"\nten minutes of talk, simulated: {took_s:.2f} s, {len(world.log)} events, {len(world.told)} notices")


if __name__ == "__main__":
    main()
