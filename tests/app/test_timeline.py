from __future__ import annotations

from app.timeline import Timeline

RATE_HZ = 1_000  # one sample a millisecond: positions can be read off


def tone(ms: int, level: int = 1) -> bytes:
    return level.to_bytes(2, "little") * ms


def drawn(timeline: Timeline) -> list[tuple[int, int]]:
    """Runs of equal samples as (level, milliseconds)."""
    runs: list[tuple[int, int]] = []
    pcm = timeline.audio()
    for at in range(0, len(pcm), 2):
        level = int.from_bytes(pcm[at : at + 2], "little")
        if runs and runs[-1][0] == level:
            runs[-1] = (level, runs[-1][1] + 1)
        else:
            runs.append((level, 1))
    return runs


def test_silence_stands_where_nothing_came() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(20), at_ms=1_000)
    timeline.add(tone(20), at_ms=3_000)

    assert [(0, 1_000), (1, 20), (0, 1_980), (1, 20)] == drawn(timeline)
    assert timeline.end_ms == 3_020


def test_audio_that_comes_ahead_of_time_is_played_after_what_is_playing() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(20, 1), at_ms=500)
    timeline.add(tone(20, 2), at_ms=500)
    timeline.add(tone(20, 3), at_ms=510)

    assert [(0, 500), (1, 20), (2, 20), (3, 20)] == drawn(timeline)


def test_a_late_frame_of_a_running_reply_makes_no_gap() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(20), at_ms=500)
    timeline.add(tone(20), at_ms=530)

    assert [(0, 500), (1, 40)] == drawn(timeline)


def test_clear_drops_what_was_not_played_yet() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(300), at_ms=500)
    timeline.clear(at_ms=600)

    assert [(0, 500), (1, 100)] == drawn(timeline)


def test_a_paused_reply_goes_on_where_it_stopped() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(100, 1) + tone(100, 2), at_ms=500)
    timeline.pause(at_ms=600)
    timeline.add(tone(50, 3), at_ms=620)
    timeline.resume(at_ms=1_600)

    assert [(0, 500), (1, 100), (0, 1_000), (2, 100), (3, 50)] == drawn(timeline)


def test_a_paused_reply_that_is_cleared_is_gone() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(200), at_ms=500)
    timeline.pause(at_ms=600)
    timeline.clear(at_ms=900)
    timeline.resume(at_ms=950)
    timeline.add(tone(10, 2), at_ms=1_000)

    assert [(0, 500), (1, 100), (0, 400), (2, 10)] == drawn(timeline)


def test_the_compact_form_leaves_out_the_long_silences() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.add(tone(100, 1), at_ms=5_000)
    timeline.add(tone(100, 2), at_ms=9_000)

    assert tone(100, 1) + bytes(2 * 500) + tone(100, 2) == timeline.audio(compact=True)
