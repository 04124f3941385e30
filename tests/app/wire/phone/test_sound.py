from __future__ import annotations

import math
import sys
from array import array

import pytest

from app.wire.phone.api import SoundEncoding, SoundFormat, WireError
from app.wire.phone.sound import Decoder, Encoder, bytes_of_20_ms, silence
from tests.recordings import BECKETT

FORMATS = [
    SoundFormat("mulaw", 8000),
    SoundFormat("alaw", 8000),
    SoundFormat("l16le", 16_000),
    SoundFormat("l16be", 24_000),
    SoundFormat("g722", 16_000),
]


def by_name(form: SoundFormat) -> str:
    return form.encoding


def signal_to_noise_db(signal: bytes, copy: bytes) -> float:
    samples = list(zip(array("h", signal), array("h", copy), strict=False))
    noise = sum((one - other) ** 2 for one, other in samples)
    return 10 * math.log10(sum(one**2 for one, _ in samples) / noise) if noise else math.inf


@pytest.mark.parametrize(("form", "least_db"), list(zip(FORMATS, [30, 30, math.inf, math.inf, 15], strict=True)))
def test_speech_sounds_alike_after_it_was_on_the_wire(form: SoundFormat, least_db: float) -> None:
    pcm = BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=2500)
    received = Decoder(form).decode(Encoder(form).encode(pcm))
    delay = 44 if form.encoding == "g722" else 0  # of its two filters, in bytes: 22 samples

    assert len(pcm) == len(received)
    assert least_db <= signal_to_noise_db(pcm, received[delay:])


@pytest.mark.parametrize("form", FORMATS, ids=by_name)
def test_a_decoder_takes_bytes_cut_anywhere(form: SoundFormat) -> None:
    data = Encoder(form).encode(BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=600))
    decoder = Decoder(form)
    pieces = [decoder.decode(data[at : at + 3]) for at in range(0, len(data), 3)]

    assert Decoder(form).decode(data) == b"".join(pieces)


@pytest.mark.parametrize("form", [form for form in FORMATS if form.encoding != "g722"], ids=by_name)
def test_an_encoder_takes_bytes_cut_anywhere(form: SoundFormat) -> None:
    pcm = BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=600)
    encoder = Encoder(form)
    pieces = [encoder.encode(pcm[at : at + 3]) for at in range(0, len(pcm), 3)]

    assert Encoder(form).encode(pcm) == b"".join(pieces)


@pytest.mark.parametrize("form", FORMATS, ids=by_name)
def test_nothing_stays_nothing(form: SoundFormat) -> None:
    assert (b"", b"") == (Decoder(form).decode(b""), Encoder(form).encode(b""))


def test_the_end_of_a_reply_is_filled_up_with_silence_in_g722() -> None:
    """So that it is heard now, and not at the beginning of the next one."""
    encoder = Encoder(SoundFormat("g722", 16_000))

    assert 2 * 160 == len(encoder.encode(bytes(640 + 100)))


def test_g722_without_its_extra_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    for make in (Decoder, Encoder):
        with pytest.raises(WireError, match=r"G\.722 is not installed"):
            make(SoundFormat("g722", 16_000))


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (SoundFormat("l16le", 8000), b"\1\2\x7f\x7f\3\4\x7f\x7f"),
        (SoundFormat("l16be", 8000), b"\2\1\x7f\x7f\4\3\x7f\x7f"),
    ],
    ids=str,
)
def test_of_several_channels_one_is_heard(form: SoundFormat, data: bytes) -> None:
    first, second = Decoder(form, channels=2), Decoder(form, channels=2, channel=1)

    assert b"\1\2\3\4" == b"".join(first.decode(data[at : at + 3]) for at in range(0, len(data), 3))
    assert b"\x7f" * 4 == second.decode(data)


@pytest.mark.parametrize("form", [form for form in FORMATS if form.encoding != "g722"], ids=by_name)
def test_silence_is_silent(form: SoundFormat) -> None:
    """As silent as A-law gets, whose lowest step is 8."""
    assert set(array("h", Decoder(form).decode(silence(form, 160)))) <= {0, 8}


def test_network_order_is_the_other_order() -> None:
    assert b"\x01\x02\x03\x04" == Encoder(SoundFormat("l16be", 8000)).encode(b"\x02\x01\x04\x03")


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "expected"),
    [("mulaw", 8000, 160), ("alaw", 8000, 160), ("l16le", 16_000, 640), ("l16be", 24_000, 960), ("g722", 16_000, 160)],
)
def test_20_ms_take_so_many_bytes(encoding: SoundEncoding, rate_hz: int, expected: int) -> None:
    form = SoundFormat(encoding, rate_hz)

    assert expected == bytes_of_20_ms(form) == len(Encoder(form).encode(bytes(rate_hz // 50 * 2)))
