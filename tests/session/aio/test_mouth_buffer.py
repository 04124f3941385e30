"""Audio on its way to a listener whose end plays from a buffer of its own."""

from __future__ import annotations

import asyncio

from providers.fakes import FakeEcho
from session.aio.echo_cancellation import EchoCancellation
from session.aio.mouth import EARLY_MS, FrameCounts, Mouth
from session.pacer import MARK_EVERY_MS
from session.transport import Buffered, HasBuffer
from tests.session.aio.stage import RATE_HZ, Line, soon, speech

FRAME_SAMPLES = 320


class Buffer(Line):
    """Keeps what it is told, in order: a frame's length, or words."""

    lead_ms = 100

    def __init__(self, buffered: Buffered, *, returns_marks: bool) -> None:
        super().__init__()
        self.returns_marks = returns_marks
        self.buffered = buffered
        self.marks: list[int] = []
        self.told: list[str] = []
        self.marked = asyncio.Event()

    def mark(self, number: int) -> None:
        self.marks.append(number)
        self.marked.set()

    def pause(self) -> Buffered:
        self.told.append("pause")
        return self.buffered

    def resume(self) -> None:
        self.told.append("resume")


class Rig:
    def __init__(
        self, buffered: Buffered = "dropped", *, returns_marks: bool = True, echo: EchoCancellation | None = None
    ) -> None:
        self.line = Buffer(buffered, returns_marks=returns_marks)
        self.heard = 0
        self._moved = asyncio.Event()
        self.mouth = Mouth(self.line, self.now_ms, self._played, FrameCounts(), echo)

    async def until_heard(self, samples: int) -> None:
        while self.heard < samples:
            self._moved.clear()
            await soon(self._moved.wait())

    async def until_ms(self, at_ms: int) -> None:
        passed = asyncio.Event()
        asyncio.get_running_loop().call_at(at_ms / 1000, passed.set)
        await soon(passed.wait())

    async def until_marked(self) -> int:
        await soon(self.line.marked.wait())
        self.line.marked.clear()
        return self.line.marks[-1]

    @staticmethod
    def now_ms() -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    def _played(self, _turn_id: str, _sent: int, heard: int) -> None:
        self.heard = max(self.heard, heard)
        self._moved.set()


def test_a_transport_has_a_buffer_or_it_has_none() -> None:
    assert isinstance(Buffer("kept", returns_marks=True), HasBuffer)
    assert not isinstance(Line(), HasBuffer)


async def test_the_end_is_marked_and_heard_when_the_mark_comes_back() -> None:
    rig = Rig()
    rig.mouth.queue(speech(60))
    rig.mouth.play("1")
    number = await rig.until_marked()
    before = rig.heard
    rig.mouth.reached(number)

    assert before < 3 * FRAME_SAMPLES == rig.heard

    rig.mouth.close()


async def test_what_goes_on_is_marked_now_and_then() -> None:
    rig = Rig()
    rig.mouth.queue(speech(2 * MARK_EVERY_MS + 40))
    rig.mouth.play("1")
    for _ in range(3):
        rig.mouth.reached(await rig.until_marked())
    await rig.until_heard((2 * MARK_EVERY_MS + 40) * RATE_HZ // 1000)

    assert [1, 2, 3] == rig.line.marks

    rig.mouth.close()


async def test_where_no_mark_comes_back_the_end_is_marked_and_heard_by_the_clock() -> None:
    rig = Rig(returns_marks=False)
    rig.mouth.queue(speech(60))
    rig.mouth.play("1")
    await rig.until_heard(3 * FRAME_SAMPLES)

    assert [1] == rig.line.marks

    rig.mouth.close()


async def test_what_a_paused_buffer_dropped_is_sent_again() -> None:
    rig = Rig("dropped")
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    rig.mouth.pause()
    before = b"".join(rig.line.frames)
    rig.line.frames.clear()
    rig.mouth.play("1")

    assert before == b"".join(rig.line.frames)

    rig.mouth.close()


async def test_what_a_paused_buffer_kept_is_not() -> None:
    rig = Rig("kept")
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    sent = b"".join(rig.line.frames)
    rig.mouth.pause()
    rig.mouth.play("1")
    rest = b"".join(rig.line.frames)[len(sent) :]

    assert speech(400).startswith(sent + rest)
    assert ["resume", "pause", "resume"] == rig.line.told

    rig.mouth.close()


async def test_what_plays_on_is_heard_though_it_is_paused() -> None:
    rig = Rig("plays on", returns_marks=False)
    rig.mouth.queue(speech(400))
    rig.mouth.play("1")
    sent = len(rig.line.frames)
    rig.mouth.pause()
    await rig.until_heard(sent * FRAME_SAMPLES)

    assert sent == len(rig.line.frames) < 20

    rig.mouth.close()


async def test_a_full_buffer_is_sent_nothing_and_loses_nothing() -> None:
    rig = Rig(returns_marks=False)
    rig.mouth.room(has_room=False)
    rig.mouth.queue(speech(200))
    rig.mouth.play("1")

    assert [] == rig.line.frames

    rig.mouth.room(has_room=True)
    await rig.until_heard(10 * FRAME_SAMPLES)

    assert speech(200) == b"".join(rig.line.frames)

    rig.mouth.close()


def an_echo_cancellation() -> EchoCancellation:
    return EchoCancellation(FakeEcho(), input_rate_hz=RATE_HZ, output_rate_hz=RATE_HZ, trouble=lambda *_: None)


async def test_the_echo_of_a_late_listener_is_looked_for_later() -> None:
    echo = an_echo_cancellation()
    rig = Rig(echo=echo)
    rig.mouth.queue(speech(20))
    rig.mouth.play("1")
    number = await rig.until_marked()
    await rig.until_ms(rig.now_ms() + 200)
    rig.mouth.reached(number)
    rig.mouth.clear(at_listener=False)
    rig.mouth.queue(speech(20))
    played_ms = rig.now_ms()
    rig.mouth.play("2")
    from_ms = echo._far_end.end // (RATE_HZ // 1000) - 20

    assert 190 <= from_ms - played_ms + EARLY_MS < 290

    rig.mouth.close()


async def test_where_the_first_mark_tells_of_a_late_listener_the_rest_of_the_sound_is_heard_later() -> None:
    echo, late_ms = an_echo_cancellation(), 300
    rig = Rig(echo=echo)
    rig.mouth.queue(speech(3 * MARK_EVERY_MS))
    rig.mouth.play("1")
    begins_ms = echo._far_end._start // (RATE_HZ // 1000)
    number = await rig.until_marked()
    await rig.until_ms(begins_ms + MARK_EVERY_MS + late_ms)
    rig.mouth.reached(number)
    while await rig.until_marked() < 3:
        pass
    ends_ms = echo._far_end.end // (RATE_HZ // 1000)

    assert late_ms - EARLY_MS <= ends_ms - begins_ms - 3 * MARK_EVERY_MS < late_ms - EARLY_MS + 100

    rig.mouth.close()
