"""The sound of phone lines to PCM and back, at the same rate: G.711, linear PCM in both byte orders, G.722.

PCM on this side is signed 16-bit little-endian mono. A decoder or an encoder belongs to one direction of one call.
Bytes may be cut anywhere: the odd byte of a sample waits for the rest of it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from types import ModuleType
from typing import assert_never

from app.wire.phone.api import SoundEncoding, SoundFormat, WireError
from providers import audio

__all__ = ("Decoder", "Encoder", "bytes_of_20_ms", "sample_bytes", "silence")

G722_RATE_HZ = 16_000
G722_FRAME_BYTES = 640
"""Of PCM: 20 ms, what the encoder works in."""


def sample_bytes(form: SoundFormat) -> float:
    """How long a sample is on the wire: half a byte with G.722, a mean over two samples."""
    match form.encoding:
        case "mulaw" | "alaw":
            return 1
        case "l16le" | "l16be":
            return 2
        case "g722":
            return 0.5
        case _:
            assert_never(form.encoding)


def bytes_of_20_ms(form: SoundFormat) -> int:
    return round(form.rate_hz * sample_bytes(form)) // 50


def silence(form: SoundFormat, size_bytes: int) -> bytes:
    """On the wire. Silence of G.722 depends on what was before it: it has none of its own."""
    return _SILENCE[form.encoding] * size_bytes


_SILENCE: dict[SoundEncoding, bytes] = {
    "mulaw": b"\xff",
    "alaw": b"\xd5",
    "l16le": b"\0",
    "l16be": b"\0",
    "g722": b"\0",
}


class Decoder:
    """Of several interleaved ``channels`` it hears one, counted from 0."""

    def __init__(self, form: SoundFormat, channels: int = 1, channel: int = 0) -> None:
        self._convert = _decoding(form)
        self._sample_bytes = math.ceil(sample_bytes(form))
        self._channels = channels
        self._channel = channel
        self._whole = _Whole(self._sample_bytes * channels)

    def decode(self, data: bytes) -> bytes:
        data = self._whole.take(data)
        if self._channels > 1:
            data = array("BH"[self._sample_bytes - 1], data)[self._channel :: self._channels].tobytes()
        return self._convert(data)


class Encoder:
    """G.722 comes in whole frames of 20 ms: the end of a reply is filled up with silence."""

    def __init__(self, form: SoundFormat) -> None:
        self._convert = _encoding(form)
        self._whole = _Whole(audio.BYTES_PER_SAMPLE)

    def encode(self, pcm: bytes) -> bytes:
        return self._convert(self._whole.take(pcm))


class _Whole:
    """Keeps the first bytes of a sample back until the others are there."""

    def __init__(self, unit_bytes: int) -> None:
        self._unit_bytes = unit_bytes
        self._kept = b""

    def take(self, data: bytes) -> bytes:
        if self._kept:
            data = self._kept + data
        over = len(data) % self._unit_bytes
        self._kept = data[len(data) - over :]
        return data[: len(data) - over] if over else data


def _decoding(form: SoundFormat) -> Callable[[bytes], bytes]:
    match form.encoding:
        case "mulaw" | "alaw" as law:
            return lambda data: audio.decode(data, law)
        case "l16le":
            return _as_it_is
        case "l16be":
            return _swap
        case "g722":
            return _g722_decoding()
        case _:
            assert_never(form.encoding)


def _encoding(form: SoundFormat) -> Callable[[bytes], bytes]:
    match form.encoding:
        case "mulaw" | "alaw" as law:
            return lambda pcm: audio.encode(pcm, law)
        case "l16le":
            return _as_it_is
        case "l16be":
            return _swap
        case "g722":
            return _g722_encoding()
        case _:
            assert_never(form.encoding)


def _as_it_is(data: bytes) -> bytes:
    return data


def _swap(data: bytes) -> bytes:
    samples = array("h", data)
    samples.byteswap()
    return samples.tobytes()


def _av() -> ModuleType:
    try:
        import av  # noqa: PLC0415 - of an extra, and only few calls speak G.722
    except ImportError:
        raise WireError("G.722 is not installed: pip install 'beluga-voice[g722]'") from None
    return av


def _g722_decoding() -> Callable[[bytes], bytes]:
    av = _av()
    codec = av.AudioCodecContext.create("g722", "r")
    codec.layout, codec.sample_rate = av.AudioLayout("mono"), G722_RATE_HZ

    def decode(data: bytes) -> bytes:
        if not data:  # an empty packet would end the stream
            return b""
        frames = codec.decode(av.Packet(data))
        return b"".join(bytes(frame.planes[0])[: frame.samples * audio.BYTES_PER_SAMPLE] for frame in frames)

    return decode


def _g722_encoding() -> Callable[[bytes], bytes]:
    av = _av()
    codec = av.AudioCodecContext.create("g722", "w")
    codec.format, codec.layout, codec.sample_rate = av.AudioFormat("s16"), av.AudioLayout("mono"), G722_RATE_HZ

    def encode(pcm: bytes) -> bytes:
        pcm += bytes(-len(pcm) % G722_FRAME_BYTES)
        if not pcm:
            return b""
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // audio.BYTES_PER_SAMPLE)
        frame.sample_rate = G722_RATE_HZ
        frame.planes[0].update(pcm)
        return b"".join(bytes(packet) for packet in codec.encode(frame))

    return encode
