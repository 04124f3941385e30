"""Decoded, converted, lost packets concealed without a click, silence where none was sent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.transports.webrtc.hearing import Hearing
from app.transports.webrtc.voice import FRAME_TICKS, OpusEncoder, Received

RATE_HZ = 48_000


def tone_packets(count: int, frequency_hz: int = 300) -> list[bytes]:
    samples = 8_000 * np.sin(2 * np.pi * frequency_hz * np.arange(count * FRAME_TICKS) / RATE_HZ)
    pcm = samples.astype("<i2").tobytes()
    encoder = OpusEncoder(RATE_HZ, 64_000)
    return [encoder.encode(pcm[at : at + 2 * FRAME_TICKS]) for at in range(0, len(pcm), 2 * FRAME_TICKS)]


def heard(hearing: Hearing, packets: list[bytes | None], *, at_ms: int = 0) -> NDArray[np.int16]:
    received = [Received(number * FRAME_TICKS, packet) for number, packet in enumerate(packets)]
    pcm = b"".join(hearing.hear(each, at_ms + 20 * number) for number, each in enumerate(received))
    return np.frombuffer(pcm, np.int16)


def steepest(samples: NDArray[np.int16]) -> int:
    return int(np.abs(np.diff(samples.astype(np.int32))).max())


def test_a_second_of_packets_is_a_second_at_the_rate_of_the_session() -> None:
    samples = heard(Hearing(16_000), list(tone_packets(50)))

    assert abs(16_000 - len(samples)) <= 16_000 * 0.04


def test_a_lost_packet_is_counted_and_leaves_neither_a_hole_nor_a_click() -> None:
    packets = tone_packets(50)
    whole = heard(Hearing(RATE_HZ), list(packets))
    hearing = Hearing(RATE_HZ)
    with_losses = heard(hearing, [None if number in {20, 33, 34} else each for number, each in enumerate(packets)])

    assert 3 == hearing.lost
    assert len(whole) == len(with_losses)
    assert steepest(with_losses) <= 2 * steepest(whole)
    assert int(np.abs(with_losses[20 * FRAME_TICKS : 21 * FRAME_TICKS]).max()) > 2_000


def test_a_long_loss_fades_to_silence() -> None:
    packets: list[bytes | None] = [*tone_packets(20), *[None] * 10]
    samples = heard(Hearing(RATE_HZ), packets)

    assert 0 == int(np.abs(samples[-8 * FRAME_TICKS :]).max())


def test_a_gap_in_time_without_a_gap_in_numbers_is_silence_and_no_loss() -> None:
    hearing = Hearing(RATE_HZ)
    first, second = tone_packets(2)
    hearing.hear(Received(0, first), 0)
    pcm = hearing.hear(Received(3 * FRAME_TICKS, second), 60)

    assert 0 == hearing.lost
    assert 3 * FRAME_TICKS == len(pcm) // 2
    assert bytes(4 * FRAME_TICKS) == pcm[: 4 * FRAME_TICKS]


def test_a_sender_that_falls_silent_is_heard_as_silence_as_time_passes() -> None:
    hearing = Hearing(16_000)
    hearing.hear(Received(0, tone_packets(1)[0]), 0)
    early, first, soon, next_ = [hearing.wait(at_ms) for at_ms in (80, 100, 110, 120)]

    assert (0, 1_600, 0, 320) == (len(early) // 2, len(first) // 2, len(soon) // 2, len(next_) // 2)


def test_what_was_filled_up_is_not_heard_again() -> None:
    hearing = Hearing(RATE_HZ)
    first, second = tone_packets(2)
    hearing.hear(Received(0, first), 0)
    hearing.wait(200)
    pcm = hearing.hear(Received(10 * FRAME_TICKS, second), 200)

    assert FRAME_TICKS == len(pcm) // 2


def test_a_sender_that_begins_anew_leaves_no_gap() -> None:
    hearing = Hearing(RATE_HZ)
    first, second = tone_packets(2)
    hearing.hear(Received(0, first), 0)
    pcm = hearing.hear(Received(3_000_000_000, second), 20)

    assert FRAME_TICKS == len(pcm) // 2


def test_before_the_first_packet_there_is_nothing() -> None:
    assert b"" == Hearing(16_000).wait(10_000)


def test_packets_that_were_missed_in_a_row_are_counted() -> None:
    hearing = Hearing(RATE_HZ)
    hearing.hear(Received(0, tone_packets(1)[0], missed=80), 0)

    assert 80 == hearing.lost
