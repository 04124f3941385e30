"""Audio as bytes: lengths, levels, G.711. Standard library only.

PCM is signed 16-bit little-endian mono.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from typing import Literal

__all__ = (
    "BYTES_PER_SAMPLE",
    "Encoding",
    "decode",
    "duration_ms",
    "encode",
    "level_dbfs",
    "sample_count",
)

BYTES_PER_SAMPLE = 2

Encoding = Literal["pcm_s16le", "mulaw", "alaw"]


def sample_count(pcm: bytes) -> int:
    return len(pcm) // BYTES_PER_SAMPLE


def duration_ms(pcm: bytes, rate_hz: int) -> int:
    """Whole milliseconds, rounded down."""
    return sample_count(pcm) * 1000 // rate_hz


def level_dbfs(pcm: bytes) -> float:
    """Root mean square relative to full scale; minus infinity for silence or no audio."""
    samples = array("h", pcm)
    if not samples:
        return -math.inf
    mean_square = sum(map(int.__mul__, samples, samples)) / len(samples)
    return 10 * math.log10(mean_square / 32768**2) if mean_square else -math.inf


def decode(data: bytes, encoding: Encoding) -> bytes:
    """To PCM, at the same rate. ``data`` holds whole samples."""
    if encoding == "pcm_s16le":
        return data
    low, high = _decoding_bytes(encoding)
    pcm = bytearray(len(data) * BYTES_PER_SAMPLE)
    pcm[0::2], pcm[1::2] = data.translate(low), data.translate(high)
    return bytes(pcm)


def encode(pcm: bytes, encoding: Encoding) -> bytes:
    """From PCM, at the same rate. ``pcm`` holds whole samples."""
    if encoding == "pcm_s16le":
        return pcm
    table = _encoding(encoding)
    return bytes([table[sample] for sample in memoryview(pcm).cast("H")])


def _mulaw_to_linear(byte: int) -> int:
    """ITU-T G.711 § 3.2, scaled to 16 bits."""
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


def _alaw_to_linear(byte: int) -> int:
    """ITU-T G.711 § 3.1, scaled to 16 bits."""
    byte ^= 0x55
    exponent = (byte & 0x70) >> 4
    magnitude = ((byte & 0x0F) << 4) + 8
    if exponent:
        magnitude = magnitude + 0x100 << exponent - 1
    return magnitude if byte & 0x80 else -magnitude


@cache
def _decoding(encoding: Encoding) -> tuple[int, ...]:
    to_linear = _mulaw_to_linear if encoding == "mulaw" else _alaw_to_linear
    return tuple(to_linear(byte) for byte in range(256))


@cache
def _decoding_bytes(encoding: Encoding) -> tuple[bytes, bytes]:
    """The table of samples as one of their low and one of their high bytes, for ``bytes.translate``."""
    table = array("H", [sample & 0xFFFF for sample in _decoding(encoding)])
    return bytes(sample & 0xFF for sample in table), bytes(sample >> 8 for sample in table)


@cache
def _encoding(encoding: Encoding) -> bytes:
    """The nearest code for each 16-bit sample, indexed by its bits read as unsigned: 64 KiB, one look-up a sample."""
    codes = sorted((value, byte) for byte, value in enumerate(_decoding(encoding)))
    table = bytearray(65536)
    at = 0
    for sample in range(-32768, 32768):
        while at + 1 < len(codes) and abs(codes[at + 1][0] - sample) <= abs(codes[at][0] - sample):
            at += 1
        table[sample & 0xFFFF] = codes[at][1]
    return bytes(table)
