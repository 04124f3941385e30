from __future__ import annotations

import sys

import pytest

from app.wire.phone.api import Audio, PhoneCall, SoundFormat, Started, WireError
from app.wire.phone.call_audio import CallAudio

CALL = PhoneCall("some", "1", SoundFormat("l16be", 8000), SoundFormat("mulaw", 8000))


def test_a_call_starts_once() -> None:
    audio = CallAudio()

    assert [Started(CALL)] == audio.start(CALL)
    with pytest.raises(WireError, match="a second start"):
        audio.start(CALL)


def test_a_call_whose_sound_cannot_be_had_has_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    audio = CallAudio()
    with pytest.raises(WireError):
        audio.start(PhoneCall("some", "1", SoundFormat("g722", 16_000), SoundFormat("g722", 16_000)))

    assert not audio.started


def test_each_direction_has_its_own_sound() -> None:
    audio = CallAudio()
    audio.start(CALL)

    assert [Audio(b"\x02\x01")] == audio.heard(b"\x01\x02")
    assert b"\xff" == audio.spoken(b"\x00\x00")


def test_half_a_sample_is_no_audio_yet() -> None:
    audio = CallAudio()
    audio.start(CALL)

    assert ([], [Audio(b"\x02\x01")]) == (audio.heard(b"\x01"), audio.heard(b"\x02"))


def test_before_the_start_audio_is_the_gateways_mistake_and_speech_is_ours() -> None:
    with pytest.raises(WireError, match="audio before the start"):
        CallAudio().heard(b"\x00")
    with pytest.raises(RuntimeError, match="the call has not started"):
        CallAudio().spoken(b"\x00\x00")
