"""The weather that providers work in: how slow they are, and when they fail. Everything is drawn once, so that a call
in the same weather is the same call."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

__all__ = ("FAIR", "Weather", "weathers")


@dataclass(frozen=True, slots=True)
class Weather:
    """Lists are gone through round and round, one entry a request. A delay of None: it never answers."""

    stt_final_ms: tuple[int | None, ...] = (30,)
    interim_every_ms: int | None = 400
    verdict_ms: tuple[int | None, ...] = (5,)
    verdicts: tuple[float, ...] = (0.95,)
    agent_first_ms: tuple[int | None, ...] = (50,)
    agent_gap_ms: int = 30
    agent_answers: tuple[str, ...] = ("Sure. Let me see what I can do about that for you today.",)
    agent_fails: tuple[str, ...] = ("",)
    asks_who_is_away: bool = False
    tts_first_ms: tuple[int | None, ...] = (90,)
    tts_gap_ms: int = 20
    tts_fails: tuple[str, ...] = ("",)
    stt_fails: tuple[str, ...] = ("",)
    late_events: bool = False


FAIR = Weather()

_delays = st.sampled_from([0, 20, 60, 80, 90, 120, 150, 200, 300, 400, 900, 2_500, 4_000, None])
_failures = st.sampled_from([""] * 10 + ["retryable", "permanent", "midway"])


def _several(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, min_size=4, max_size=8).map(tuple)


def weathers() -> st.SearchStrategy[Weather]:
    """Anything from a fair day to a hurricane."""
    answers = ["", "Yes.", "Sure. One moment. Here it is, all of it.", "word " * 60, "**Well**, 3.14 is a number: pi."]
    return st.builds(
        Weather,
        stt_final_ms=_several(_delays),
        interim_every_ms=st.one_of(st.none(), st.integers(100, 1_000)),
        verdict_ms=_several(_delays),
        verdicts=_several(st.floats(0, 1)),
        agent_first_ms=_several(_delays),
        agent_gap_ms=st.sampled_from([0, 5, 20, 50, 300, 1_500]),
        agent_answers=_several(st.sampled_from(answers)),
        agent_fails=_several(_failures),
        asks_who_is_away=st.booleans(),
        tts_first_ms=_several(_delays),
        tts_gap_ms=st.sampled_from([0, 10, 50, 150, 600]),
        tts_fails=_several(_failures),
        stt_fails=_several(st.sampled_from([""] * 8 + ["retryable", "permanent"])),
        late_events=st.booleans(),
    )
