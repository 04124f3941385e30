"""A noise canceller in a stream of audio. With an ear around it: ``test_ear.py``."""

from __future__ import annotations

from providers.errors import Rejected
from providers.fakes import FakeNoise, FakeNoiseStream
from session.aio.noise_cancellation import NoiseCancellation
from tests.session.aio.stage import silence, speech


class Rig:
    def __init__(self, noise: FakeNoise | None, *, input_rate_hz: int = 16_000) -> None:
        self.troubles: list[tuple[str, str]] = []
        self.noise = NoiseCancellation(
            noise,
            input_rate_hz=input_rate_hz,
            trouble=lambda part, error: self.troubles.append((part, str(error))),
        )


def test_without_a_canceller_the_audio_stays_as_it_is() -> None:
    rig = Rig(None, input_rate_hz=8_000)

    assert 8_000 == rig.noise.rate_hz
    assert speech(30) == rig.noise.clean(speech(30))


def test_what_is_no_whole_frame_waits_for_the_rest() -> None:
    rig = Rig(FakeNoise(lambda frame: bytes(len(frame))))

    assert silence(20) == rig.noise.clean(speech(25))
    assert silence(10) == rig.noise.clean(speech(5))


def test_the_audio_comes_at_the_rate_of_the_canceller() -> None:
    rig = Rig(FakeNoise(rate_hz=8_000, frame_samples=80))
    clean = rig.noise.clean(speech(100))

    assert 8_000 == rig.noise.rate_hz
    assert len(clean) in range(len(silence(80, 8_000)), len(silence(100, 8_000)) + 1)


def test_one_that_fails_is_bypassed_and_what_waited_is_not_lost() -> None:
    rig = Rig(FakeNoise(error=Rejected("no")))
    heard = rig.noise.clean(speech(5)) + rig.noise.clean(speech(20))

    assert speech(5) + speech(20) == heard
    assert [("noise", "no")] == rig.troubles


def test_closing_closes_its_stream_and_may_be_done_twice() -> None:
    closed: list[bool] = []

    class Stream(FakeNoiseStream):
        def close(self) -> None:
            closed.append(True)

    noise = FakeNoise()
    noise.open = lambda: Stream(noise)  # type: ignore[method-assign] # one that tells
    rig = Rig(noise)
    rig.noise.close()
    rig.noise.close()

    assert [True] == closed
