"""Audio on its way out, paced by the clock of the loop."""

from __future__ import annotations

import asyncio

from providers.fakes import FakeEcho
from session.aio.echo_cancellation import EchoCancellation
from session.aio.media_clock import MediaClock
from session.aio.mouth import FrameCounts, Mouth, OutputQueue
from tests.session.aio.stage import Line, soon, speech

FRAME_SAMPLES = 320


class Rig:
    """A mouth, its line, and the positions that it told."""

    def __init__(self, echo: EchoCancellation | None = None) -> None:
        self.line, self.counts = Line(), FrameCounts()
        self.positions: list[tuple[str, int, int]] = []
        self._moved = asyncio.Event()
        self.mouth = Mouth(self.line, self._now_ms, self._played, self.counts, echo)

    async def until_heard(self, samples: int) -> None:
        while not self.positions or self.positions[-1][2] < samples:
            self._moved.clear()
            await soon(self._moved.wait())

    @staticmethod
    def _now_ms() -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    def _played(self, turn_id: str, sent: int, heard: int) -> None:
        self.positions.append((turn_id, sent, heard))
        self._moved.set()


def is_paced() -> bool:
    return any(MediaClock.of_running_loop()._slots)


async def test_what_is_queued_waits_until_it_is_played_and_then_goes_at_once() -> None:
    rig = Rig()
    rig.mouth.queue(speech(60))

    assert [] == rig.line.frames

    rig.mouth.play("7")

    assert speech(60) == b"".join(rig.line.frames)
    assert [("7", 3 * FRAME_SAMPLES, 0)] == rig.positions

    rig.mouth.close()


async def test_what_comes_while_it_plays_is_sent_too() -> None:
    rig = Rig()
    rig.mouth.play("1")
    rig.mouth.queue(speech(20))

    assert [speech(20)] == rig.line.frames

    rig.mouth.close()


async def test_it_is_sent_in_real_time_and_told_as_it_is_heard() -> None:
    rig = Rig()
    begun_s = asyncio.get_running_loop().time()
    rig.mouth.queue(speech(260))
    rig.mouth.play("1")
    await rig.until_heard(13 * FRAME_SAMPLES)
    took_s = asyncio.get_running_loop().time() - begun_s

    assert 0.255 <= took_s
    assert speech(260) == b"".join(rig.line.frames)
    assert sorted(rig.positions) == rig.positions
    assert len(set(rig.positions)) == len(rig.positions)
    assert 13 == rig.counts.sent


async def test_when_everything_was_heard_the_clock_is_left() -> None:
    rig = Rig()
    rig.mouth.queue(speech(20))
    rig.mouth.play("1")

    assert is_paced()

    await rig.until_heard(FRAME_SAMPLES)

    assert not is_paced()


async def test_a_pause_keeps_what_is_queued() -> None:
    rig = Rig()
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    sent = len(rig.line.frames)
    rig.mouth.pause()
    await rig.until_heard(sent * FRAME_SAMPLES)

    assert sent == len(rig.line.frames) < 20

    rig.mouth.play("1")
    await rig.until_heard(20 * FRAME_SAMPLES)

    assert speech(400) == b"".join(rig.line.frames)


async def test_clearing_drops_what_is_queued_and_begins_at_nothing() -> None:
    rig = Rig()
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    rig.mouth.clear(at_listener=False)
    sent = len(rig.line.frames)

    assert 0 == rig.line.cleared

    rig.mouth.clear(at_listener=True)
    rig.mouth.queue(speech(20))
    rig.mouth.play("2")

    assert 1 == rig.line.cleared
    assert sent + 1 == len(rig.line.frames)
    assert ("2", FRAME_SAMPLES, 0) == rig.positions[-1]

    rig.mouth.close()


async def test_a_listener_who_reports_is_believed() -> None:
    rig = Rig()
    rig.mouth.queue(speech(60))
    rig.mouth.play("1")
    rig.mouth.report(played_ms=20)

    assert ("1", 3 * FRAME_SAMPLES, FRAME_SAMPLES) == rig.positions[-1]

    rig.mouth.close()


async def test_a_closed_mouth_leaves_the_clock() -> None:
    rig = Rig()
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    rig.mouth.close()

    assert not is_paced()


# --- the transport of a session that has none -------------------------------------------------------------------


async def frames_of(queue: OutputQueue) -> list[bytes]:
    return [frame async for frame in queue.frames()]


async def test_whoever_listens_gets_the_frames_in_order_until_it_is_closed() -> None:
    queue = OutputQueue(16_000)
    queue.send_audio(b"early")
    listening = asyncio.create_task(frames_of(queue))
    await asyncio.sleep(0)
    queue.send_audio(b"now")
    await asyncio.sleep(0)
    queue.send_audio(b"last")
    await queue.aclose()

    assert [b"early", b"now", b"last"] == await soon(listening)


async def test_who_listens_after_the_end_gets_what_is_left() -> None:
    queue = OutputQueue(16_000)
    queue.send_audio(b"left")
    await queue.aclose()

    assert [b"left"] == await soon(frames_of(queue))
    assert [] == await soon(frames_of(queue))


async def test_what_is_cleared_is_not_heard() -> None:
    queue = OutputQueue(16_000)
    queue.send_audio(b"stale")
    queue.clear()
    await queue.aclose()

    assert [] == await soon(frames_of(queue))


async def test_when_nobody_listens_the_last_ten_seconds_are_kept_and_the_others_counted() -> None:
    counts = FrameCounts()
    queue = OutputQueue(16_000, counts)
    for number in range(501):
        queue.send_audio(number.to_bytes(2, "little"))
    await queue.aclose()

    assert [number.to_bytes(2, "little") for number in range(1, 501)] == await soon(frames_of(queue))
    assert 1 == counts.dropped_sent


async def test_what_is_cleared_or_left_is_not_counted_as_dropped() -> None:
    counts = FrameCounts()
    queue = OutputQueue(16_000, counts)
    queue.send_audio(b"cut")
    queue.clear()
    queue.send_audio(b"left")
    queue.reopen()

    assert 0 == counts.dropped_sent


async def test_it_can_be_opened_again() -> None:
    queue = OutputQueue(16_000)
    queue.send_audio(b"of the last run")
    await queue.aclose()
    queue.reopen()
    listening = asyncio.create_task(frames_of(queue))
    await asyncio.sleep(0)

    assert not listening.done()

    queue.send_audio(b"again")
    await queue.aclose()

    assert [b"again"] == await soon(listening)


# --- what the echo of it will be ----------------------------------------------------------------------------------


def an_echo_cancellation() -> EchoCancellation:
    return EchoCancellation(FakeEcho(), input_rate_hz=16_000, output_rate_hz=16_000, trouble=lambda *_: None)


async def test_what_is_sent_ahead_is_told_with_the_time_at_which_it_is_due() -> None:
    echo = an_echo_cancellation()
    rig = Rig(echo)
    rig.mouth.queue(speech(60))
    begun_ms = rig._now_ms()
    rig.mouth.play("1")
    due = echo._far_end._start // 16

    assert 0 <= due - begun_ms <= 20
    assert speech(60) == echo._far_end.at(due * 16, 60 * 16)

    rig.mouth.close()


async def test_what_is_cleared_at_the_listeners_has_no_echo() -> None:
    echo = an_echo_cancellation()
    rig = Rig(echo)
    rig.mouth.queue(speech(60))
    rig.mouth.play("1")
    began = echo._far_end._start
    rig.mouth.clear(at_listener=False)

    assert began + 60 * 16 == echo._far_end.end

    rig.mouth.clear(at_listener=True)

    assert echo._far_end.end <= began + 20 * 16

    rig.mouth.close()


async def test_what_did_not_arrive_and_is_sent_again_has_an_echo_only_then() -> None:
    echo = an_echo_cancellation()
    rig = Rig(echo)
    rig.mouth.queue(speech(60))
    rig.mouth.play("1")
    began = echo._far_end._start
    rig.mouth.pause()
    rig.mouth.rewind()

    assert echo._far_end.end <= began + 20 * 16

    rig.mouth.close()
