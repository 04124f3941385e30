"""The way that our voice takes back to us, and what is heard without it: real voices, and lines made for the test."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from session.aio.echo_path import EchoPath
from tests.recordings import BECKETT, TWO_CITIES, silence

RATE_HZ = 16_000
FRAME_BYTES = 320
OURS = TWO_CITIES.pcm(from_ms=1_200, to_ms=13_200)
LOUD = (np.frombuffer(OURS, "<i2").astype(np.int32) * 4).clip(-32_768, 32_767).astype("<i2").tobytes()
"""As loud as a voice of ours is."""

Samples = NDArray[np.float64]


def samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def level_dbfs(heard: Samples) -> float:
    return 10 * float(np.log10(np.mean(heard**2) / 2**30 + 1e-12))


def echo_of(played: bytes, *, delay_ms: int, below_db: float) -> Samples:
    faint = samples(played) * 10 ** (-below_db / 20)
    return np.concatenate([np.zeros(delay_ms * 16), faint])[: len(faint)]


def heard_over(path: EchoPath, played: bytes, heard: Samples) -> Samples:
    pcm = np.rint(heard).clip(-32_768, 32_767).astype("<i2").tobytes()
    frames = range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)
    return samples(
        b"".join(path.without_echo(played[at : at + FRAME_BYTES], pcm[at : at + FRAME_BYTES]) for at in frames)
    )


def from_ms(ms: int) -> slice:
    return slice(ms * 16, None)


def a_path() -> EchoPath:
    return EchoPath(160, RATE_HZ)


@pytest.mark.parametrize(("delay_ms", "below_db"), [(60, 10.0), (205, 18.0), (400, 10.0), (400, 25.0)])
def test_an_echo_is_learnt_and_taken_away(delay_ms: int, below_db: float) -> None:
    echo = echo_of(LOUD, delay_ms=delay_ms, below_db=below_db)
    path = a_path()
    left = heard_over(path, LOUD, echo)

    assert level_dbfs(left[from_ms(8_000)]) < level_dbfs(echo[from_ms(8_000)]) - 15
    assert path.is_known


@pytest.mark.parametrize(("delay_ms", "below_db"), [(66, 10.0), (205, 18.0), (333, 14.0), (400, 10.0)])
def test_it_is_learnt_before_callers_interrupt(delay_ms: int, below_db: float) -> None:
    echo = echo_of(LOUD, delay_ms=delay_ms, below_db=below_db)
    left = heard_over(a_path(), LOUD, echo)
    then = slice(2_000 * 16, 3_000 * 16)

    assert level_dbfs(left[then]) < level_dbfs(echo[then]) - 20


def test_what_was_taken_for_an_echo_and_was_none_does_not_stand_in_its_way() -> None:
    echo = echo_of(LOUD, delay_ms=300, below_db=10.0)
    path = a_path()
    heard_over(path, LOUD[: 6_000 * 32], samples(BECKETT.pcm(from_ms=300, to_ms=6_300)) * 3)
    left = heard_over(path, LOUD, echo)

    assert level_dbfs(left[from_ms(3_000)]) < level_dbfs(echo[from_ms(3_000)]) - 20


def test_what_it_remembers_is_as_good_as_what_it_heard() -> None:
    delay = 400 * 16
    echo = echo_of(LOUD, delay_ms=400, below_db=10.0)
    path = a_path()
    for at in range(0, 2 * delay, FRAME_BYTES):
        path.remember(LOUD[at : at + FRAME_BYTES])
    late = heard_over(path, LOUD[2 * delay :], echo[delay:])
    early = heard_over(a_path(), LOUD, echo)[delay:]

    assert abs(level_dbfs(late) - level_dbfs(early)) < 1


def test_a_caller_who_speaks_over_it_is_heard_as_they_are() -> None:
    echo = echo_of(LOUD, delay_ms=200, below_db=10.0)
    caller = np.zeros(len(echo))
    caller[8_000 * 16 : 11_000 * 16] = samples(BECKETT.pcm(from_ms=300, to_ms=3_300)) * 3
    heard = heard_over(a_path(), LOUD, echo + caller)
    both = slice(8_000 * 16, 11_000 * 16)

    assert level_dbfs((heard - caller)[both]) < level_dbfs(echo[both]) - 12


def test_on_a_line_without_an_echo_hardly_anything_changes() -> None:
    caller = samples(BECKETT.pcm(from_ms=300, to_ms=8_300)) * 3
    path = a_path()
    heard = heard_over(path, LOUD[: 8_000 * 32], caller)

    assert level_dbfs(heard - caller) < level_dbfs(caller) - 10
    assert not path.is_known


def test_while_nothing_was_played_nothing_changes() -> None:
    caller = samples(BECKETT.pcm(from_ms=300, to_ms=1_300))

    assert list(caller) == list(heard_over(a_path(), silence(1_000), caller))


def test_a_way_that_has_become_another_is_forgotten_and_learnt_anew() -> None:
    before, after = (echo_of(LOUD, delay_ms=delay_ms, below_db=10.0) for delay_ms in (200, 260))
    path = a_path()
    heard_over(path, LOUD, before)
    known_before = path.is_known
    known = []
    for at in range(0, 3_000, 100):
        heard_over(path, LOUD[at * 32 : (at + 100) * 32], after[at * 16 : (at + 100) * 16])
        known.append(path.is_known)

    assert known_before
    assert False in known
    assert known[-1]


@pytest.mark.parametrize(("known_ms", "is_trusted"), [(4_000, True), (12_000, False)])
def test_a_way_that_was_another_for_long_has_to_prove_itself(known_ms: int, *, is_trusted: bool) -> None:
    before, after = (echo_of(LOUD, delay_ms=delay_ms, below_db=10.0) for delay_ms in (200, 260))
    path = a_path()
    heard_over(path, LOUD[: known_ms * 32], before[: known_ms * 16])
    trusted_before = path.is_trusted
    heard_over(path, LOUD[: 2_500 * 32], after[: 2_500 * 16])
    known, trusted = path.is_known, path.is_trusted
    heard_over(path, LOUD[2_500 * 32 :], after[2_500 * 16 :])

    assert trusted_before
    assert known
    assert is_trusted == trusted
    assert path.is_trusted


def test_what_is_doubted_has_to_be_shown_again() -> None:
    echo = echo_of(LOUD, delay_ms=200, below_db=10.0)
    path = a_path()
    heard_over(path, LOUD, echo)
    path.doubt()
    doubted = path.is_known
    heard_over(path, LOUD[: 3_000 * 32], echo[: 3_000 * 16])

    assert (False, True) == (doubted, path.is_known)
