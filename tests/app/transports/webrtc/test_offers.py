"""Which offers are worth an answer."""

from __future__ import annotations

import pytest

from app.transports.webrtc.offers import Refusal, check_offer

AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


@pytest.mark.parametrize("media", [AUDIO, AUDIO + DATA, DATA + AUDIO])
def test_audio_with_or_without_data_is_taken(media: str) -> None:
    assert check_offer("v=0\r\n" + media) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("sdp", "status"),
    [
        ("", 400),
        ("garbage", 400),
        ("v=0\r\n", 422),
        ("v=0\r\n" + DATA, 422),
        ("v=0\r\n" + AUDIO + VIDEO, 422),
        ("v=0\r\n" + AUDIO + AUDIO, 422),
        ("v=0\r\n" + AUDIO + "a=x\r\n" * 20_000, 413),
    ],
)
def test_anything_else_is_refused_with_its_status(sdp: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        check_offer(sdp)

    assert status == refused.value.status
