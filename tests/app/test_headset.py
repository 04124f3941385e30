"""The headset without a sound card: its two ends are driven by hand, as PortAudio's thread would."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from app.headset import Headset, HeadsetError


class Stream:
    def __init__(self, **options: object) -> None:
        self.options = options
        self.running = False

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running = False


@pytest.fixture
def sound_card(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(RawStream=Stream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    with pytest.raises(HeadsetError, match=r"pip install 'beluga-voice\[mic\]'"):
        Headset(16_000)


def test_without_a_device_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError("no default device")

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(RawStream=refuse, PortAudioError=OSError))

    with pytest.raises(HeadsetError, match="no microphone or no loudspeaker: no default device"):
        Headset(16_000)


async def test_what_is_recorded_comes_out_in_order(sound_card: None) -> None:
    with Headset(16_000) as headset:
        for name in (b"aa", b"bb"):
            headset._exchange(name, bytearray(2), 1, None, None)
        frames = headset.frames()

        assert [b"aa", b"bb"] == [await anext(frames), await anext(frames)]


async def test_a_stalled_network_loses_the_oldest(sound_card: None) -> None:
    with Headset(16_000) as headset:
        for count in range(60):
            headset._hear(bytes([count]))

        assert bytes([10]) == await anext(headset.frames())


async def test_the_reply_is_played_and_silence_after_it(sound_card: None) -> None:
    with Headset(16_000) as headset:
        headset.play(b"abcdef")
        played = [bytearray(4), bytearray(4)]
        for piece in played:
            headset._exchange(b"", piece, 2, None, None)

        assert [b"abcd", b"ef\0\0"] == played


async def test_pause_holds_and_clear_drops(sound_card: None) -> None:
    def play(headset: Headset) -> bytes:
        piece = bytearray(2)
        headset._exchange(b"", piece, 1, None, None)
        return bytes(piece)

    with Headset(16_000) as headset:
        headset.play(b"abcd")
        headset.pause()
        held = play(headset)
        headset.resume()
        resumed = play(headset)
        headset.clear()

        assert (b"\0\0", b"ab", b"\0\0") == (held, resumed, play(headset))
