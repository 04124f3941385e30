from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wav import Recording, WavError, parse_wav, read_wav, write_wav

LEVELS = (0.0, 0.5, -0.5, 0.25, -1.0)
EXPECTED = (0, 16384, -16384, 8192, -32768)


def wav(data: bytes, *, kind: int = 1, bits: int = 16, channels: int = 1, rate_hz: int = 16_000) -> bytes:
    width = bits // 8 * channels
    head = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * width, width, bits)
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def samples(pcm: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(pcm, "<i2").tolist())


def stored(bits: int) -> bytes:
    """``LEVELS`` as a WAV stores them."""
    whole = [round(level * 2 ** (bits - 1)) for level in LEVELS]
    if bits == 8:
        return bytes(value + 128 for value in whole)
    return b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in whole)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_pcm_of_every_width_is_read(bits: int) -> None:
    recording = parse_wav(wav(stored(bits), bits=bits))

    assert EXPECTED == samples(recording.pcm)
    assert recording.rate_hz == 16_000


@pytest.mark.parametrize(("bits", "code"), [(32, "<f4"), (64, "<f8")])
def test_floating_point_is_read_and_clipped(bits: int, code: str) -> None:
    data = np.array([*LEVELS, 3.0, np.nan], code).tobytes()

    assert (*EXPECTED, 32767, 0) == samples(parse_wav(wav(data, kind=3, bits=bits)).pcm)


def test_two_channels_are_mixed_down() -> None:
    data = struct.pack("<4h", 1000, 3000, -200, 200)

    assert (2000, 0) == samples(parse_wav(wav(data, channels=2)).pcm)


def test_the_extensible_header_is_understood() -> None:
    head = struct.pack("<HHIIHH", 0xFFFE, 1, 48_000, 96_000, 2, 16) + struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", 2) + b"\x01\x00"

    assert Recording(b"\x01\x00", 48_000) == parse_wav(b"RIFF\0\0\0\0WAVE" + chunks)


def test_chunks_that_are_not_audio_are_passed_over() -> None:
    listed = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    plain = wav(b"\x01\x00")

    assert (1,) == samples(parse_wav(plain[:12] + listed + plain[12:]).pcm)


def test_a_recording_that_was_cut_off_gives_what_is_there() -> None:
    assert (1, 2) == samples(parse_wav(wav(struct.pack("<3h", 1, 2, 3))[:-1]).pcm)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a WAV file"),
        (b"ID3 and so on, an mp3", "not a WAV file"),
        (b"RIFF\0\0\0\0WAVE", "no format or no audio"),
        (wav(b"", channels=0), "is not audio"),
        (wav(b"", rate_hz=0), "is not audio"),
        (wav(b"\0\0", kind=7, bits=8), "not supported"),
        (wav(b"\0\0", bits=0), "not supported"),
    ],
)
def test_what_is_not_a_wav_is_said_to_be_none(data: bytes, complaint: str) -> None:
    with pytest.raises(WavError, match=complaint):
        parse_wav(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recording_or_a_clear_error(data: bytes) -> None:
    for whole in (data, b"RIFF\0\0\0\0WAVE" + data, wav(b"\x01\x02\x03\x04")[:20] + data):
        try:
            recording = parse_wav(whole)
        except WavError:
            continue
        assert len(recording.pcm) % 2 == 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WavError, match=r"absent\.wav: No such file"):
        read_wav(tmp_path / "absent.wav")


def test_a_file_that_is_no_wav_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear server")

    with pytest.raises(WavError, match=r"letter\.txt: not a WAV file"):
        read_wav(path)


def test_what_is_written_is_read_again_by_us_and_by_others(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    recording = Recording(struct.pack("<4h", 1, -2, 3, -4), 22_050)
    write_wav(path, recording)

    assert recording == read_wav(path)
    with wave.open(str(path)) as file:
        assert (1, 2, 22_050, 4) == (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(WavError, match=r"reply\.wav: No such file"):
        write_wav(tmp_path / "absent" / "reply.wav", Recording(b"", 8_000))


def test_a_recording_knows_its_length() -> None:
    assert Recording(bytes(32_000), 16_000).duration_ms == 1_000
