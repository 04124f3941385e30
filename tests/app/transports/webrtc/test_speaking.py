"""Frames to packets at their time."""

from __future__ import annotations

import asyncio

from app.transports.webrtc.speaking import Speaking
from app.transports.webrtc.voice import FRAME_TICKS, SILENCE, VoiceTrack

RATE_HZ = 24_000
FRAME = b"\x10\x20" * (RATE_HZ // 50)


def speaking(track: VoiceTrack) -> Speaking:
    return Speaking(track, RATE_HZ, bits_per_s=32_000, complexity=0)


async def packets(track: VoiceTrack, count: int) -> list[tuple[int, bytes]]:
    taken = [await track.recv() for _ in range(count)]
    return [(packet.pts or 0, bytes(packet)) for packet in taken]


async def test_the_first_frame_goes_out_at_once_and_the_next_in_its_turn() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    for _ in range(3):
        voice.send(FRAME)

    assert 2 == voice.waiting_frames

    sent = await packets(track, 3)
    voice.close()

    assert [0, FRAME_TICKS, 2 * FRAME_TICKS] == [ticks - sent[0][0] for ticks, _ in sent]


async def test_after_the_last_frame_come_five_of_silence_and_then_nothing() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    voice.send(FRAME)
    sent = await packets(track, 6)
    voice.close()

    assert SILENCE != sent[0][1]
    assert [SILENCE] * 5 == [data for _, data in sent[1:]]


async def test_a_clock_that_was_late_puts_no_silence_into_speech() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    for _ in range(3):
        voice.send(FRAME)
    voice._tick(voice._due_ms + 80)  # four are due, two are there
    for _ in range(3):
        voice.send(FRAME)
    sent = await packets(track, 6)
    voice.close()

    assert SILENCE not in [data for _, data in sent]


async def test_clearing_leaves_nothing_to_be_sent() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    for _ in range(5):
        voice.send(FRAME)
    voice.clear()
    sent = await packets(track, 2)
    voice.close()

    assert SILENCE == sent[1][1]


async def test_what_waits_is_bounded_and_the_oldest_goes_first() -> None:
    voice = speaking(VoiceTrack())
    for _ in range(40):
        voice.send(FRAME)

    assert (25, 14) == (voice.waiting_frames, voice.dropped_frames)
    voice.close()


async def test_a_pause_is_a_gap_in_time() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    voice.send(FRAME)
    before = await packets(track, 6)
    await asyncio.sleep(0.3)
    voice.send(FRAME)
    after = await packets(track, 1)
    voice.close()

    assert after[0][0] - before[-1][0] >= 10 * FRAME_TICKS


async def test_silence_is_kept_warm_by_a_packet_now_and_then() -> None:
    track = VoiceTrack()
    voice = speaking(track)
    voice.keep_warm()
    sent = await packets(track, 2)
    voice.close()

    assert [SILENCE, SILENCE] == [data for _, data in sent]
    assert sent[1][0] - sent[0][0] >= 40 * FRAME_TICKS


async def test_a_closed_voice_sends_nothing() -> None:
    voice = speaking(VoiceTrack())
    voice.close()
    voice.send(FRAME)

    assert 0 == voice.waiting_frames
