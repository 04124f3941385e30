"""What signalling takes and gives, without a word of the library behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from session.errors import ErrorCode

__all__ = ("Answer", "NoNetwork", "Refusal", "Restarted", "check_offer")

_MAX_OFFER_BYTES = 65_536
"""Ten times what a browser with many addresses sends."""

_MEDIA = re.compile(r"^m=(\w+) ", re.MULTILINE)


class Refusal(Exception):
    """``status``: of the HTTP answer."""

    def __init__(
        self,
        status: int,
        message: str,
        code: ErrorCode = ErrorCode.INVALID_INPUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class NoNetwork(Exception):
    """No port or address could be had just now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``etag`` in quotes; ``links``: values of ``Link`` headers."""

    sdp: str
    etag: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """The server's side of an ICE restart, as ``application/trickle-ice-sdpfrag``."""

    fragment: bytes
    etag: str


def check_offer(sdp: str) -> None:
    """Whether it can be worth an answer: one audio section, at most one of data, and nothing else.

    :raises Refusal: 400 for what is no SDP, 413 for too much of it, 422 for what is not for a voice server.
    """
    if len(sdp) > _MAX_OFFER_BYTES:
        raise Refusal(413, f"an offer has at most {_MAX_OFFER_BYTES} bytes")
    if not sdp.startswith("v=0"):
        raise Refusal(400, "the offer is not SDP: it does not begin with v=0")
    kinds = _MEDIA.findall(sdp)
    if "audio" not in kinds:
        raise Refusal(422, "the offer has no audio")
    if kinds.count("audio") > 1 or kinds.count("application") > 1 or set(kinds) - {"audio", "application"}:
        raise Refusal(422, f"the offer has {', '.join(kinds)}; one audio section and one data channel are taken")
