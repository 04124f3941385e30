"""Invariant: any bytes are sound; cut anywhere, they are the same sound, and less than one sample waits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.phone.api import SoundEncoding, SoundFormat
from app.wire.phone.sound import Decoder, Encoder

ENCODINGS: list[SoundEncoding] = ["mulaw", "alaw", "l16le", "l16be", "g722"]
each_encoding = pytest.mark.parametrize("encoding", ENCODINGS)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]


@each_encoding
@given(data=st.binary(max_size=500), cuts=st.lists(st.integers(0, 500), max_size=20), channels=st.integers(1, 2))
def test_any_bytes_decode(encoding: SoundEncoding, data: bytes, cuts: list[int], channels: int) -> None:
    channels = 1 if encoding == "g722" else channels
    form = SoundFormat(encoding, 16_000)
    decoder = Decoder(form, channels, channels - 1)
    heard = b"".join(decoder.decode(piece) for piece in pieces(data, cuts))

    assert Decoder(form, channels, channels - 1).decode(data) == heard
    assert len(heard) % 2 == 0
    assert len(decoder._whole._kept) < 2 * channels


@each_encoding
@given(pcm=st.binary(max_size=500), cuts=st.lists(st.integers(0, 500), max_size=20))
def test_any_pcm_encodes(encoding: SoundEncoding, pcm: bytes, cuts: list[int]) -> None:
    form = SoundFormat(encoding, 16_000)
    encoder = Encoder(form)
    sent = b"".join(encoder.encode(piece) for piece in pieces(pcm, cuts))

    assert encoding == "g722" or Encoder(form).encode(pcm) == sent
    assert len(encoder._whole._kept) < 2
