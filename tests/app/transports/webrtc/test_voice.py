import asyncio

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from app.transports.ice.peer import Peer, make_peer_connection
from app.transports.webrtc.voice import (
    FRAME_TICKS,
    JITTER_BUFFER,
    SILENCE,
    OpusDecoder,
    OpusEncoder,
    Received,
    Reorder,
    VoiceTrack,
    take_packets,
)
from tests.app.transports.ice.peers import Caller, loopback


def packet(number: int) -> Received:
    return Received(number * FRAME_TICKS, b"%d" % number)


def numbers(received: list[Received]) -> list[int | None]:
    return [None if one.payload is None else int(one.payload) for one in received]


def sequence(*order: int) -> list[int | None]:
    reorder = Reorder(patience=2)
    return [number for given in order for number in numbers(reorder.add(given & 0xFFFF, packet(given)))]


def test_packets_in_order_pass_at_once() -> None:
    assert [1, 2, 3] == sequence(1, 2, 3)


def test_packets_that_overtook_one_another_are_put_in_order() -> None:
    assert [1, 2, 3, 4] == sequence(1, 3, 2, 4)


def test_a_lost_packet_is_given_as_lost_after_two_more_and_one() -> None:
    assert [1, None, 3, 4, 5] == sequence(1, 3, 4, 5)


def test_a_packet_that_comes_too_late_or_twice_is_dropped() -> None:
    assert [1, None, 3, 4, 5, 6] == sequence(1, 3, 4, 5, 2, 5, 6)


def test_numbers_wrap_around() -> None:
    assert [65_534, 65_535, 65_536, 65_537] == sequence(65_534, 65_535, 65_536, 65_537)


def test_a_sender_that_begins_anew_is_followed() -> None:
    assert [1, 2, 9_000, 9_001] == sequence(1, 2, 9_000, 9_001)


def test_a_lost_packet_has_the_time_it_stood_for() -> None:
    reorder = Reorder(patience=0)
    reorder.add(1, packet(1))

    assert 2 * FRAME_TICKS == reorder.add(3, packet(3))[0].timestamp


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_a_tone_survives_the_codec(rate_hz: int) -> None:
    tone = (8_000 * np.sin(2 * np.pi * 500 * np.arange(rate_hz) / rate_hz)).astype("<i2").tobytes()
    encoder, decoder = OpusEncoder(rate_hz), OpusDecoder()
    size = 2 * encoder.frame_samples
    heard = b"".join(decoder.decode(encoder.encode(tone[at : at + size])) for at in range(0, len(tone), size))
    spectrum = np.abs(np.fft.rfft(np.frombuffer(heard, "<i2")))

    assert abs(48_000 - len(heard) // 2) <= 2 * FRAME_TICKS
    assert abs(500 - int(spectrum.argmax()) * 24_000 / (len(spectrum) - 1)) < 3


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="640 bytes, not 2"):
        OpusEncoder(16_000).encode(b"\0\0")


def test_silence_decodes_to_silence_and_garbage_raises_nothing() -> None:
    decoder = OpusDecoder()

    assert bytes(2 * FRAME_TICKS) == decoder.decode(SILENCE)
    for garbage in (b"\xff", b"\xff\xff\xff", bytes(range(256)), b"\xf8"):
        assert isinstance(decoder.decode(garbage), bytes)


async def test_a_pause_moves_the_time_and_sends_nothing() -> None:
    track = VoiceTrack()
    track.send(SILENCE)
    track.pause()
    track.send(SILENCE)

    assert [0, 2 * FRAME_TICKS] == [(await track.recv()).pts for _ in range(2)]


async def test_a_track_that_stops_ends_its_reader() -> None:
    track = VoiceTrack()
    reading = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await reading


async def test_a_call_goes_packet_by_packet_without_aiortcs_decoder() -> None:
    server = make_peer_connection(await loopback())
    voice = VoiceTrack()
    server.addTrack(voice)

    def listen(_: object) -> None:
        take_packets(server.getReceivers()[0], lambda received: voice.send(received.payload or SILENCE))

    server.on("track", listen)
    caller = Caller(await loopback(), 800)
    await caller.call(server.answer)

    assert 800 == await caller.heard_hz(10)

    await asyncio.gather(caller.close(), server.close())


async def test_a_receiver_that_is_built_otherwise_is_refused() -> None:
    peer: Peer = make_peer_connection(await loopback())
    receiver = peer.addTransceiver("audio").receiver
    delattr(receiver, JITTER_BUFFER)
    with pytest.raises(ImportError, match="jitter_buffer"):
        take_packets(receiver, lambda _: None)
    await peer.close()
