"""WAV files: any of the usual kinds in, signed 16-bit mono out.

The standard library's ``wave`` reads neither floating point nor the extensible header before Python 3.12, so the
chunks are walked here.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ("Recording", "WavError", "parse_wav", "read_wav", "write_wav")

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE


class WavError(Exception):
    """The file is missing, unreadable, or not a WAV of a kind known here. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Signed 16-bit little-endian mono."""

    pcm: bytes
    rate_hz: int

    @property
    def duration_ms(self) -> int:
        return len(self.pcm) // 2 * 1000 // self.rate_hz


def read_wav(path: Path) -> Recording:
    """:raises WavError: when the file cannot be read, or is not a WAV."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from error
    try:
        return parse_wav(data)
    except WavError as error:
        raise WavError(f"{path}: {error}") from None


def parse_wav(data: bytes) -> Recording:
    """PCM of 8, 16, 24 or 32 bits, or float of 32 or 64; several channels are mixed down to one.

    A header that promises more audio than there is (a recording that was cut off) gives what is there.

    :raises WavError: when it is anything else.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("not a WAV file")
    chunks = dict(_chunks(data))
    head = chunks.get(b"fmt ", b"")
    if len(head) < 16 or b"data" not in chunks:
        raise WavError("not a whole WAV file: it has no format or no audio")
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", head)
    if kind == _EXTENSIBLE and len(head) >= 26:
        kind = struct.unpack_from("<H", head, 24)[0]
    if not 1 <= channels <= 64 or not 1_000 <= rate_hz <= 384_000:
        raise WavError(f"{channels} channels at {rate_hz} Hz is not audio")
    levels = _levels(chunks[b"data"], kind, bits)
    frames = levels[: len(levels) // channels * channels].reshape(-1, channels)
    mono = np.rint(frames.mean(axis=1) * 32768).clip(-32768, 32767)
    return Recording(mono.astype("<i2").tobytes(), rate_hz)


def write_wav(path: Path, recording: Recording) -> None:
    """:raises WavError: when the file cannot be written."""
    try:
        with path.open("wb") as stream, wave.open(stream) as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(recording.rate_hz)
            file.writeframes(recording.pcm)
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from error


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _levels(data: bytes, kind: int, bits: int) -> NDArray[np.float64]:
    """Every sample as -1 to 1, channels interleaved."""
    width = bits // 8
    data = data[: len(data) // width * width] if width else b""
    if (kind, bits) == (_PCM, 8):  # the only unsigned one
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if (kind, bits) == (_PCM, 24):
        # Three bytes become the upper three of a 32-bit sample.
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4").ravel() / 2.0**31
    if kind == _PCM and bits in (16, 32):
        return np.frombuffer(data, f"<i{width}") / 2.0 ** (bits - 1)
    if kind == _FLOAT and bits in (32, 64):
        levels = np.frombuffer(data, f"<f{width}").astype(np.float64)
        return np.nan_to_num(levels, nan=0.0, posinf=1.0, neginf=-1.0)
    raise WavError(f"audio of kind {kind:#06x} with {bits} bits is not supported: convert it to 16-bit PCM")
