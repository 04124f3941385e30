"""Our own voice, taken out of what the caller's microphone returns of it."""

from __future__ import annotations

from array import array

import pytest

from providers.audio import level_dbfs
from providers.errors import Malformed
from providers.fakes import FakeEcho, FakeEchoStream
from session.aio.echo_cancellation import GAP_MS, SLACK_MS, TAIL_MS, WATCHED_MS, EchoCancellation
from session.line_echo import LONGEST_MS
from tests.recordings import BECKETT, TWO_CITIES
from tests.session.aio.stage import silence, speech

MS_BYTES = 32
QUIET = TWO_CITIES.pcm(from_ms=1_200, to_ms=9_200)
OURS = array("h", [max(-16_000, min(16_000, 4 * sample)) for sample in array("h", QUIET)]).tobytes()
"""A voice that is no caller's, as loud as ours."""
AT_MS = 5_000
"""When the first of our voice is due, and the caller's audio begins."""


class Delayed(FakeEcho):
    """Holds ten samples back, as a real one does: what it was given before comes out first."""

    delay_samples = 10

    def open(self) -> FakeEchoStream:
        return DelayedStream(self)


class DelayedStream(FakeEchoStream):
    def __init__(self, echo: FakeEcho) -> None:
        super().__init__(echo)
        self._held_back = bytes(20)

    def process(self, frame: bytes) -> bytes:
        both = self._held_back + super().process(frame)
        self._held_back = both[-20:]
        return both[:-20]


class Deaf(FakeEcho):
    """Takes all for an echo."""

    def open(self) -> FakeEchoStream:
        return DeafStream(self)


class DeafStream(FakeEchoStream):
    def process(self, frame: bytes) -> bytes:
        return bytes(len(super().process(frame)))


class Line:
    """A caller who is heard from ``AT_MS`` on, 20 ms at a time."""

    def __init__(self, canceller: FakeEcho | None = None, *, input_rate_hz: int = 16_000) -> None:
        self.canceller = canceller or FakeEcho()
        self.troubles: list[tuple[str, str]] = []
        self.now_ms = AT_MS
        self.clean = bytearray()
        self.echo = EchoCancellation(
            self.canceller,
            input_rate_hz=input_rate_hz,
            output_rate_hz=16_000,
            trouble=lambda part, error: self.troubles.append((part, str(error))),
        )

    def plays(self, pcm: bytes, due_ms: int = AT_MS) -> None:
        for at_ms in range(0, len(pcm) // MS_BYTES, 20):
            self.echo.sent(pcm[at_ms * MS_BYTES : (at_ms + 20) * MS_BYTES], due_ms + at_ms)

    def hears(self, pcm: bytes, *, late_ms: int = 0) -> bytes:
        before, size = len(self.clean), 20 * MS_BYTES
        for at in range(0, len(pcm), size):
            self.now_ms += 20
            self.clean += self.echo.clean(pcm[at : at + size], self.now_ms + late_ms).voice
        return bytes(self.clean[before:])

    def says(self, played: bytes, heard: bytes) -> bytes:
        """Both from now on."""
        before = len(self.clean)
        for at in range(0, len(played), 20 * MS_BYTES):
            frame = slice(at, at + 20 * MS_BYTES)
            self.plays(played[frame], self.now_ms)
            self.hears(heard[frame])
        return bytes(self.clean[before:])

    @property
    def delays_ms(self) -> set[int]:
        """How much later each frame was heard than its reference was played, by the number that both begin with."""
        pairs = zip(self.canceller.played, self.canceller.heard, strict=True)
        return {(number(heard) - number(played)) * 10 for played, heard in pairs if number(played) and number(heard)}

    @property
    def worked_frames(self) -> int:
        """Of the caller's, without the silence in which the canceller catches up."""
        return sum(map(any, self.canceller.heard))


def added(first: bytes, second: bytes, factor: int = 1) -> bytes:
    both = zip(array("h", first), array("h", second), strict=True)
    return array("h", [max(-32_768, min(32_767, one + factor * other)) for one, other in both]).tobytes()


def counted(duration_ms: int, first: int = 1) -> bytes:
    """Each 10 ms begin with their number, and can be heard."""
    return b"".join((first + at).to_bytes(2, "little") + b"\x01" * 318 for at in range(duration_ms // 10))


def number(frame: bytes) -> int:
    return int.from_bytes(frame[:2], "little")


def test_each_frame_comes_with_what_was_played_at_its_time() -> None:
    line = Line()
    line.plays(counted(400))
    line.hears(counted(400))

    assert {0} == line.delays_ms


def test_an_echo_is_no_voice_and_the_line_is_known_to_echo() -> None:
    line = Line()
    line.plays(OURS[: 2_000 * MS_BYTES])
    line.hears(OURS[: 2_000 * MS_BYTES])

    assert not any(line.clean[10 * MS_BYTES :])
    assert line.echo.found


def test_once_the_way_of_an_echo_is_known_it_is_subtracted_for_voice_activity_too() -> None:
    line = Line(Deaf())
    line.says(OURS, OURS)
    faint = BECKETT.pcm(from_ms=300, to_ms=1_200)
    caller = added(faint, faint, 2)
    heard = line.says(OURS[: len(caller)], added(OURS[: len(caller)], caller))

    assert not line.echo.line_echoes
    assert level_dbfs(added(heard, caller, -1)) < level_dbfs(caller) - 6


def test_an_echo_that_comes_through_all_the_same_is_ours_and_then_the_canceller_is_asked_again() -> None:
    line = Line(Deaf())
    line.says(OURS, OURS)
    louder = added(OURS, OURS)
    ours, echoes = [], []
    for at in range(0, 2_000 * MS_BYTES, 40 * MS_BYTES):
        line.says(OURS[at : at + 40 * MS_BYTES], louder[at : at + 40 * MS_BYTES])
        ours.append(line.echo.is_ours())
        echoes.append(line.echo.line_echoes)

    assert any(ours)
    assert echoes[ours.index(True)]


def test_where_the_reference_moves_the_way_is_learnt_anew() -> None:
    line = Line(Deaf())
    line.says(OURS, OURS)
    known_before = not line.echo.line_echoes
    line.echo.moved()
    known_then = not line.echo.line_echoes
    line.says(OURS, bytes(300 * MS_BYTES) + OURS[: -300 * MS_BYTES])

    assert (True, False, True) == (known_before, known_then, not line.echo.line_echoes)


def test_what_a_canceller_takes_of_a_caller_is_there_for_whoever_transcribes() -> None:
    line = Line(Deaf())
    line.plays(silence(1_000))
    caller = BECKETT.pcm(from_ms=300, to_ms=1_200)
    cleans = [line.echo.clean(caller[at : at + 640], AT_MS + at // 32 + 20) for at in range(0, len(caller), 640)]

    assert caller == b"".join(clean.speech for clean in cleans)
    assert not any(b"".join(clean.voice for clean in cleans[1:]))


def test_while_nothing_was_played_the_canceller_is_not_even_opened() -> None:
    line = Line()

    assert speech(600) == line.hears(speech(600))
    assert [] == line.canceller.streams


def test_it_rests_a_while_after_the_last_sound_and_goes_on_with_the_next() -> None:
    line = Line()
    line.plays(speech(40))
    line.hears(speech(40 + TAIL_MS + 500))
    rested = line.worked_frames
    line.plays(speech(40), line.now_ms)
    line.hears(speech(40))

    assert (40 + LONGEST_MS) // 10 == pytest.approx(rested, abs=2)
    assert rested + 4 == line.worked_frames
    assert 1 == len(line.canceller.streams)


def test_on_a_line_that_echoes_it_rests_a_second_after_the_last_sound() -> None:
    line = Line()
    line.says(OURS[: 2_000 * MS_BYTES], OURS[: 2_000 * MS_BYTES])
    worked = line.worked_frames
    line.hears(BECKETT.pcm(from_ms=300, to_ms=300 + TAIL_MS + 500))

    assert TAIL_MS // 10 == pytest.approx(line.worked_frames - worked, abs=1)


def test_as_long_as_nothing_is_heard_it_rests_and_then_it_catches_up() -> None:
    line = Line()
    line.plays(OURS[: 700 * MS_BYTES])
    line.hears(silence(500))
    rested = list(line.canceller.heard)
    line.hears(speech(20))

    assert [] == rested
    assert OURS[: 520 * MS_BYTES] == b"".join(line.canceller.played)[-520 * MS_BYTES :]
    assert 2 == line.worked_frames


def test_what_a_canceller_holds_back_is_held_back_while_it_rests() -> None:
    line = Line(Delayed())

    assert bytes(20) + speech(600)[:-20] == line.hears(speech(600))


def test_between_rest_and_work_no_sample_is_lost_and_none_jumps() -> None:
    line = Line(Delayed())
    loud = b"\x10\x27" * 16 * 3_000
    line.hears(loud[: 1_000 * MS_BYTES])
    line.plays(silence(200), line.now_ms)
    line.hears(loud[1_000 * MS_BYTES :])

    assert bytes(20) + loud[:-20] == line.clean
    assert line.canceller.heard


def test_on_a_line_that_returns_nothing_the_audio_stays_as_it_is() -> None:
    line = Line()
    line.plays(OURS[: 2_200 * MS_BYTES])
    line.hears(silence(1_600))
    caller = speech(320)

    assert caller == line.hears(caller)
    assert not line.echo.line_echoes


def test_on_such_a_line_it_works_only_while_there_is_something_to_be_heard() -> None:
    line = Line()
    line.plays(OURS[: 2_400 * MS_BYTES])
    line.hears(silence(1_600))
    line.hears(silence(400))
    rested = list(line.canceller.heard)
    line.hears(speech(320))

    assert [] == rested
    assert 32 == line.worked_frames


def test_what_was_cut_is_no_reference() -> None:
    line = Line()
    line.plays(counted(400))
    line.echo.cut(AT_MS + 200)
    line.hears(counted(400))

    assert 20 == sum(map(bool, map(number, line.canceller.played)))


def test_audio_that_is_held_up_for_a_moment_keeps_its_reference() -> None:
    line = Line()
    line.plays(counted(600))
    line.hears(counted(200))
    line.hears(counted(200, 21), late_ms=100)
    line.hears(counted(200, 41))

    assert {0} == line.delays_ms


def test_the_first_audio_may_have_been_late() -> None:
    line = Line()
    line.plays(counted(600))
    line.hears(counted(20), late_ms=100)
    line.canceller.played.clear()
    line.canceller.heard.clear()
    line.hears(counted(400, 3))

    assert {0} == line.delays_ms


def test_audio_that_comes_late_from_now_on_finds_its_reference() -> None:
    line = Line()
    late_ms = SLACK_MS + 30
    line.plays(counted(2_400))
    line.hears(counted(200))
    line.hears(counted(1_000 + WATCHED_MS, 21), late_ms=late_ms)
    line.canceller.played.clear()
    line.canceller.heard.clear()
    line.hears(counted(100, 221), late_ms=late_ms)

    assert {-late_ms} == line.delays_ms


def test_audio_that_goes_on_after_a_pause_finds_its_reference_at_once() -> None:
    line = Line()
    line.plays(counted(2_000))
    line.hears(counted(200))
    line.now_ms += GAP_MS + 100
    line.hears(counted(200, 21 + (GAP_MS + 100) // 10))

    assert {0} == line.delays_ms


def test_a_caller_at_another_rate_is_converted() -> None:
    line = Line(input_rate_hz=8_000)
    clean = b"".join(line.echo.clean(speech(20, 8_000), AT_MS + 20 * number).voice for number in range(10))

    assert 16_000 == line.echo.rate_hz
    assert 190 * MS_BYTES <= len(clean) <= 200 * MS_BYTES


@pytest.mark.parametrize("error", [Malformed("no", provider="fake"), ValueError("no")])
def test_one_that_fails_is_bypassed_and_nothing_is_lost(error: Exception) -> None:
    line = Line(FakeEcho(error=error))
    line.plays(speech(200))
    caller = speech(200)

    assert caller == line.hears(caller)
    assert [("echo", str(error))] == line.troubles
    assert [True] == [stream.closed for stream in line.canceller.streams]


def test_closing_closes_the_stream_it_opened_and_may_be_done_twice() -> None:
    line = Line()
    line.plays(speech(20))
    line.hears(speech(20))
    line.echo.close()
    line.echo.close()

    assert [True] == [stream.closed for stream in line.canceller.streams]
