"""The caller's audio on its way in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.errors import Malformed, Rejected, Unreachable
from providers.fakes import FakeEcho, FakeEchoStream, FakeNoise, FakeVad
from session.aio.ear import AROUND_A_CUT_MS, BACKLOG_MS, KEPT_MS, PRE_ROLL_MS, Ear
from session.aio.echo_cancellation import EchoCancellation
from session.events import Heard
from tests.recordings import TWO_CITIES
from tests.session.aio.stage import RATE_HZ, silence, soon, speech


class Rig:
    """An ear at work, what it heard and what troubled it."""

    def __init__(self, **given: Any) -> None:
        self.now_ms = 1_000
        self.heard: list[Heard] = []
        self.troubles: list[tuple[str, str]] = []
        self.fed = bytearray()
        self.at_onset: Callable[[], None] | None = None
        self._more = asyncio.Event()
        parts: dict[str, Any] = {"input_rate_hz": RATE_HZ, "stt_rate_hz": RATE_HZ, "vad": FakeVad(), "noise": None}
        self.ear = Ear(
            clock_ms=lambda: self.now_ms,
            post=self._hear,
            trouble=lambda part, error: self.troubles.append((part, str(error))),
            **(parts | given),
        )

    async def until_heard_ms(self, duration_ms: int) -> None:
        while sum(heard.span_ms for heard in self.heard) < duration_ms:
            self._more.clear()
            await soon(self._more.wait())

    def feed(self, pcm: bytes) -> None:
        self.fed += pcm

    def _hear(self, heard: Heard) -> None:
        self.heard.append(heard)
        if self.at_onset and heard.probability > 0.5:
            at_onset, self.at_onset = self.at_onset, None
            at_onset()
        self._more.set()


@asynccontextmanager
async def a_rig(**given: Any) -> AsyncIterator[Rig]:
    rig = Rig(**given)
    running = asyncio.create_task(rig.ear.run())
    try:
        yield rig
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        rig.ear.close()


class Gated:
    """A voice activity that is slow until the test lets it go."""

    name = "gated"
    rate_hz = RATE_HZ
    window_samples = 512

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def warm_up(self) -> None: ...

    def open(self) -> Gated:
        return self

    async def detect(self, window: bytes) -> float:
        await self.gate.wait()
        return 0.0

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


class Broken(Gated):
    """One that raises what it was given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def detect(self, window: bytes) -> float:
        raise self.error


class Answers(Gated):
    """One that answers what it was given."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    async def detect(self, window: bytes) -> float:
        return self.answer  # type: ignore[return-value] # as somebody else's code may do


# --- windows ----------------------------------------------------------------------------------------------------


async def test_every_window_is_heard_with_its_probability_and_its_arrival() -> None:
    async with a_rig(vad=FakeVad([0.1, 0.9])) as rig:
        await rig.ear.push(silence(64))
        await rig.until_heard_ms(64)

    assert [Heard(32, 0.1, 1_000), Heard(32, 0.9, 1_000)] == rig.heard


async def test_a_window_that_is_not_full_waits_for_the_rest() -> None:
    async with a_rig() as rig:
        await rig.ear.push(speech(20))
        await rig.ear.push(speech(44))
        await rig.until_heard_ms(64)

    assert 2 == len(rig.heard)


@pytest.mark.parametrize("cut", [1, 7, 641, 5_000])
async def test_audio_may_come_in_pieces_of_any_length_even_half_a_sample(cut: int) -> None:
    audio = speech(160)
    async with a_rig() as rig:
        rig.ear.feed_to(rig.feed, again=False)
        for at in range(0, len(audio), cut):
            await rig.ear.push(audio[at : at + cut])
        await rig.until_heard_ms(160)

    assert audio == rig.fed


async def test_half_a_sample_of_a_stream_that_was_cut_does_not_shift_the_next() -> None:
    async with a_rig() as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(b"\1")
        rig.ear.cut()
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(64)

        assert speech(64) == rig.fed


async def test_who_went_on_past_a_limit_is_heard_again_from_before_it() -> None:
    audio = speech(3_200)
    async with a_rig() as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(audio)
        await rig.until_heard_ms(3_200)
        rig.ear.stop_feeding()
        rig.fed.clear()
        rig.ear.feed_to(rig.feed, again=False, back_ms=2_000)

    assert silence(AROUND_A_CUT_MS) + audio[-32 * 2_000 :] == rig.fed


async def test_a_stream_that_is_cut_off_hears_silence_and_no_more_and_nothing_is_lost_to_the_next() -> None:
    audio = speech(3_200)
    async with a_rig() as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(audio[: 32 * 1_600])
        await rig.until_heard_ms(1_600)
        rig.ear.cut_off()
        await rig.ear.push(audio[32 * 1_600 :])
        await rig.until_heard_ms(3_200)
        first = bytes(rig.fed)
        rig.fed.clear()
        rig.ear.feed_to(rig.feed, again=False, back_ms=2_000)

    assert first.endswith(audio[32 * 1_500 : 32 * 1_600] + silence(AROUND_A_CUT_MS))
    assert silence(AROUND_A_CUT_MS) + audio[-32 * 2_000 :] == rig.fed


async def test_ten_minutes_of_speech_are_held_in_part_only() -> None:
    most_bytes = 0
    async with a_rig() as rig:
        rig.ear.feed_to(lambda _: None, again=False)
        for second in range(600):
            await rig.ear.push(speech(1_000))
            await rig.until_heard_ms(second * 1_000)
            most_bytes = max(most_bytes, len(rig.ear._heard) + len(rig.ear._pending))

    assert most_bytes <= 32 * (KEPT_MS + BACKLOG_MS)


async def test_no_audio_is_nothing() -> None:
    async with a_rig() as rig:
        await rig.ear.push(b"")
        await rig.ear.push(speech(32))
        await rig.until_heard_ms(32)

    assert [Heard(32, 1.0, 1_000)] == rig.heard


@pytest.mark.parametrize(("input_hz", "stt_hz", "vad_hz"), [(8_000, 16_000, 16_000), (48_000, 16_000, 8_000)])
async def test_each_gets_the_audio_at_the_rate_it_asks_for(input_hz: int, stt_hz: int, vad_hz: int) -> None:
    vad = FakeVad(rate_hz=vad_hz, window_samples=vad_hz * 32 // 1000)
    async with a_rig(input_rate_hz=input_hz, stt_rate_hz=stt_hz, vad=vad) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(340, input_hz))
        await rig.until_heard_ms(320)

    assert {32} == {heard.span_ms for heard in rig.heard}
    assert 0.98 < len(rig.fed) / len(speech(340, stt_hz)) <= 1


# --- to whoever transcribes -------------------------------------------------------------------------------------


async def test_a_transcription_begins_with_the_pre_roll_and_gets_everything_from_then_on() -> None:
    audio = speech(1_024)
    async with a_rig() as rig:
        await rig.ear.push(audio)
        await rig.until_heard_ms(1_024)
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(1_088)

    assert audio[-PRE_ROLL_MS * RATE_HZ // 1000 * 2 :] + speech(64) == rig.fed


async def test_the_pre_roll_is_what_led_up_to_the_onset_however_much_audio_came_at_once() -> None:
    audio = speech(1_600)
    async with a_rig(vad=FakeVad([0.0] * 30 + [1.0] * 20)) as rig:
        rig.at_onset = lambda: rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(audio)
        await rig.until_heard_ms(1_600)

    onset_ms = 31 * 32
    assert audio[(onset_ms - PRE_ROLL_MS) * RATE_HZ // 1000 * 2 :] == rig.fed


async def test_nothing_is_fed_after_it_was_stopped() -> None:
    async with a_rig() as rig:
        rig.ear.feed_to(rig.feed, again=False)
        rig.ear.stop_feeding()
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(64)

    assert b"" == rig.fed


async def test_a_transcription_that_starts_again_gets_the_whole_utterance() -> None:
    audio = speech(1_600)
    async with a_rig() as rig:
        rig.ear.feed_to(lambda _: None, again=False)
        await rig.ear.push(audio)
        await rig.until_heard_ms(1_600)
        rig.ear.stop_feeding()
        rig.ear.feed_to(rig.feed, again=True)

    assert audio == rig.fed


async def test_an_utterance_is_kept_so_far_and_no_further() -> None:
    second = speech(1_024)
    async with a_rig(vad=FakeVad(window_samples=16_384)) as rig:
        rig.ear.feed_to(lambda _: None, again=False)
        for _ in range(KEPT_MS // 1_000 + 2):
            await rig.ear.push(second)
        await rig.until_heard_ms(KEPT_MS + 2_000)
        rig.ear.feed_to(rig.feed, again=True)

    assert KEPT_MS * RATE_HZ // 1000 * 2 == len(rig.fed)
    assert second == rig.fed[-len(second) :]


async def test_before_an_utterance_only_the_pre_roll_is_kept() -> None:
    async with a_rig() as rig:
        await rig.ear.push(speech(1_600))
        await rig.until_heard_ms(1_600)

        assert PRE_ROLL_MS * RATE_HZ // 1000 * 2 == len(rig.ear.last(10_000))


async def test_the_last_of_it_is_there_for_who_judges_the_turn() -> None:
    audio = speech(320)
    async with a_rig() as rig:
        await rig.ear.push(audio)
        await rig.until_heard_ms(320)

        assert audio[-3_200:] == rig.ear.last(100)
        assert b"" == rig.ear.last(0)


# --- echo -------------------------------------------------------------------------------------------------------


def an_echo_cancellation(canceller: FakeEcho) -> EchoCancellation:
    return EchoCancellation(canceller, input_rate_hz=RATE_HZ, output_rate_hz=RATE_HZ, trouble=lambda *_: None)


async def test_our_own_voice_is_no_voice() -> None:
    canceller, noise = FakeEcho(), FakeNoise()
    echo = an_echo_cancellation(canceller)
    async with a_rig(echo=echo, noise=noise) as rig:
        said = TWO_CITIES.pcm(from_ms=1_200, to_ms=3_760)
        for at_ms in range(0, 2_560, 20):
            echo.sent(said[32 * at_ms : 32 * (at_ms + 20)], 1_000 + at_ms)
        for at_ms in range(0, 2_560, 32):
            rig.now_ms += 32
            await rig.ear.push(said[32 * at_ms : 32 * (at_ms + 32)])
        await rig.until_heard_ms(2_528)

    assert {0.0} == {heard.probability for heard in rig.heard[2:]}
    assert echo.found
    assert {True} == {stream.closed for stream in canceller.streams}


async def test_whoever_transcribes_is_not_given_what_the_canceller_has_silenced() -> None:
    class Deaf(FakeEchoStream):
        def process(self, frame: bytes) -> bytes:
            return bytes(len(frame))

    canceller = FakeEcho()
    canceller.open = lambda: Deaf(canceller)  # type: ignore[method-assign] # as one that takes a caller for an echo
    echo = an_echo_cancellation(canceller)
    async with a_rig(echo=echo, noise=FakeNoise()) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        echo.sent(silence(20), 1_000)
        rig.now_ms += 320
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(320)

    assert speech(320) == rig.fed
    assert {0.0} == {heard.probability for heard in rig.heard[1:]}


# --- noise ------------------------------------------------------------------------------------------------------


async def test_everybody_hears_the_audio_without_its_noise() -> None:
    noise = FakeNoise(lambda frame: bytes(len(frame)))
    async with a_rig(noise=noise) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(32)

    assert 6 == noise.frames
    assert bytes(6 * 320) == rig.fed
    assert {0.0} == {heard.probability for heard in rig.heard}


@pytest.mark.parametrize("error", [Malformed("no", provider="fake"), ValueError("no")])
async def test_a_noise_canceller_that_fails_is_bypassed_and_nothing_is_lost(error: Exception) -> None:
    def change(frame: bytes) -> bytes:
        raise error

    async with a_rig(noise=FakeNoise(change)) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(64))
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(128)

    assert [("noise", str(error))] == rig.troubles
    assert speech(64) * 2 == rig.fed


async def test_a_noise_canceller_that_gives_another_length_is_bypassed_and_nothing_is_lost() -> None:
    async with a_rig(noise=FakeNoise(lambda frame: frame[:-1])) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(64)

    assert ["noise"] == [part for part, _ in rig.troubles]
    assert speech(64) == rig.fed


class Shut:
    """Cannot be opened, and has rates of its own; 0 Hz is none."""

    name = "shut"
    frame_samples = 80
    window_samples = 256

    def __init__(self, error: Exception, rate_hz: int = 8_000) -> None:
        self.error = error
        self.rate_hz = rate_hz

    async def warm_up(self) -> None: ...

    def open(self) -> Any:
        raise self.error

    async def aclose(self) -> None: ...


unopened = pytest.mark.parametrize(
    ("part", "message"),
    [
        (Shut(OSError("no")), "no"),
        (Shut(Rejected("no")), "no"),
        (Shut(OSError(), rate_hz=0), "cannot convert 16000 Hz to 0 Hz"),
    ],
    ids=["bare", "ours", "its rate"],
)


@unopened
async def test_a_noise_canceller_that_cannot_be_opened_is_bypassed(part: Shut, message: str) -> None:
    async with a_rig(noise=part) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        await rig.ear.push(speech(64))
        await rig.until_heard_ms(64)

    assert [("noise", message)] == rig.troubles
    assert speech(64) == rig.fed


async def test_rates_that_do_not_fit_are_refused_before_anything_is_opened() -> None:
    noise, vad = FakeNoise(), FakeVad()
    noise.open = vad.open = None  # type: ignore[method-assign,assignment] # whoever opened them would raise

    with pytest.raises(ValueError, match="cannot convert 16000 Hz to 0 Hz"):
        Rig(noise=noise, vad=vad, stt_rate_hz=0)


# --- a voice activity that fails --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreachable("gone", provider="gated"), ValueError("oops")])
async def test_a_voice_activity_that_fails_is_replaced_by_the_energy_of_the_signal(error: Exception) -> None:
    async with a_rig(vad=Broken(error)) as rig:
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(32)
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(300)

    assert [("vad", str(error))] == rig.troubles
    assert {20} == {heard.span_ms for heard in rig.heard[1:]}
    assert rig.heard[-1].probability > 0.9


@pytest.mark.parametrize("answer", [None, "loud", float("nan"), -0.1, 1.1])
async def test_a_voice_activity_that_answers_no_probability_is_replaced_too(answer: object) -> None:
    async with a_rig(vad=Answers(answer)) as rig:
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(32)
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(300)

    assert [("vad", f"answered {answer!r}, which is no probability")] == rig.troubles
    assert rig.heard[-1].probability > 0.9


@unopened
async def test_a_voice_activity_that_cannot_be_opened_is_replaced_too(part: Shut, message: str) -> None:
    async with a_rig(vad=part) as rig:
        await rig.ear.push(speech(320))
        await rig.until_heard_ms(300)

    assert [("vad", message)] == rig.troubles
    assert {20} == {heard.span_ms for heard in rig.heard}
    assert rig.heard[-1].probability > 0.9


async def test_streams_that_raise_when_they_are_closed_are_closed_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Careless(Gated):
        def close(self) -> None:
            raise ValueError("no")

    noise, streams = FakeNoise(), []
    opened = noise.open

    def kept() -> Any:
        streams.append(opened())
        return streams[-1]

    noise.open = kept  # type: ignore[method-assign]
    async with a_rig(vad=Careless(), noise=noise):
        pass

    assert [True] == [stream.closed for stream in streams]
    assert ["a stream raised while it was closed"] == [record.message for record in caplog.records]


# --- when it is too much ----------------------------------------------------------------------------------------


async def test_who_brings_more_than_can_be_looked_at_waits_and_loses_nothing() -> None:
    vad = Gated()
    audio = speech(3 * BACKLOG_MS)
    async with a_rig(vad=vad) as rig:
        rig.ear.feed_to(rig.feed, again=False)
        pushing = asyncio.create_task(rig.ear.push(audio))
        for _ in range(5):
            await asyncio.sleep(0)

        assert not pushing.done()
        assert len(rig.ear._pending) <= 2 * len(silence(BACKLOG_MS))

        vad.gate.set()
        await soon(pushing)
        await rig.until_heard_ms(3 * BACKLOG_MS - 32)

    assert audio == rig.fed


async def test_who_waits_when_it_is_closed_is_let_go() -> None:
    async with a_rig(vad=Gated()) as rig:
        pushing = [asyncio.create_task(rig.ear.push(speech(3 * BACKLOG_MS))) for _ in range(2)]
        await asyncio.sleep(0)
    await soon(asyncio.gather(*pushing))

    assert [] == rig.heard


async def test_closing_closes_the_streams_it_opened() -> None:
    opened: list[Any] = []

    def seen(open_stream: Callable[[], Any]) -> Callable[[], Any]:
        def open_and_keep() -> Any:
            opened.append(open_stream())
            return opened[-1]

        return open_and_keep

    vad, noise = FakeVad(), FakeNoise()
    vad.open, noise.open = seen(vad.open), seen(noise.open)  # type: ignore[method-assign] # to see what was opened
    async with a_rig(vad=vad, noise=noise):
        pass

    assert [True, True] == [stream.closed for stream in opened]
