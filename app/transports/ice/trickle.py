"""`application/trickle-ice-sdpfrag` (RFC 8840, RFC 9725): candidates that come after the offer. No I/O."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from aiortc import RTCIceCandidate

__all__ = ("MAX_CANDIDATES", "Fragment", "FragmentError", "decode_fragment", "encode_fragment")

MAX_CANDIDATES = 64
_MAX_BYTES = 32_768
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,64}")
_FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9.-]{1,253}")


class FragmentError(ValueError):
    """The fragment is not one; the message says which line is wrong."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one PATCH says. A candidate without a mid belongs to the whole bundle."""

    ufrag: str | None
    password: str | None
    candidates: tuple[RTCIceCandidate, ...]
    ended: bool


def decode_fragment(data: bytes) -> Fragment:
    """Reads a fragment; unknown attributes are ignored. Raises `FragmentError`, nothing else."""
    if len(data) > _MAX_BYTES:
        raise FragmentError(f"a fragment has at most {_MAX_BYTES} bytes, not {len(data)}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FragmentError("a fragment is UTF-8 text") from None
    mid: str | None = None
    ufrags: set[str] = set()
    passwords: set[str] = set()
    candidates: list[RTCIceCandidate] = []
    ended = False
    for number, line in enumerate(text.splitlines(), start=1):
        kind, _, value = line.strip().partition("=")
        name, _, rest = value.partition(":")
        match kind, name:
            case "m", _:
                mid = None
            case "a", "mid":
                mid = _require(_TOKEN, rest, "mid", number)
            case "a", "ice-ufrag":
                ufrags.add(_require(_UFRAG, rest, "ice-ufrag", number))
            case "a", "ice-pwd":
                passwords.add(_require(_PASSWORD, rest, "ice-pwd", number))
            case "a", "candidate":
                if len(candidates) == MAX_CANDIDATES:
                    raise FragmentError(f"line {number}: more than {MAX_CANDIDATES} candidates")
                candidates.append(_candidate(rest, mid, number))
            case "a", "end-of-candidates":
                ended = True
            case ("a", _) | ("", ""):
                pass
            case _:
                raise FragmentError(f"line {number}: neither an attribute nor a media line")
    if len(ufrags) > 1 or len(passwords) > 1 or len(ufrags) != len(passwords):
        raise FragmentError("a fragment has one ice-ufrag and one ice-pwd, or neither")
    return Fragment(next(iter(ufrags), None), next(iter(passwords), None), tuple(candidates), ended)


def encode_fragment(fragment: Fragment, mid: str) -> bytes:
    """Writes a fragment with one audio section, the form a WHIP client reads after an ICE restart."""
    lines = ["m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{mid}"]
    if fragment.ufrag is not None and fragment.password is not None:
        lines += [f"a=ice-ufrag:{fragment.ufrag}", f"a=ice-pwd:{fragment.password}"]
    for c in fragment.candidates:
        line = f"a=candidate:{c.foundation} {c.component} {c.protocol} {c.priority} {c.ip} {c.port} typ {c.type}"
        if c.relatedAddress is not None and c.relatedPort is not None:
            line += f" raddr {c.relatedAddress} rport {c.relatedPort}"
        if c.tcpType is not None:
            line += f" tcptype {c.tcpType}"
        lines.append(line)
    if fragment.ended:
        lines.append("a=end-of-candidates")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _require(pattern: re.Pattern[str], value: str, name: str, number: int) -> str:
    if pattern.fullmatch(value) is None:
        raise FragmentError(f"line {number}: {name} is not well-formed")
    return value


def _candidate(value: str, mid: str | None, number: int) -> RTCIceCandidate:
    words = value.split()
    if len(words) < 8 or words[6] != "typ":
        raise FragmentError(f"line {number}: a candidate has eight fields before its extensions")
    extensions = dict(zip(words[8::2], words[9::2], strict=False))
    related_port = extensions.get("rport")
    return RTCIceCandidate(
        foundation=_require(_FOUNDATION, words[0], "the candidate's foundation", number),
        component=_number(words[1], 256, "the candidate's component", number),
        protocol=_require(_TOKEN, words[2], "the candidate's transport", number).lower(),
        priority=_number(words[3], 2**32 - 1, "the candidate's priority", number),
        ip=_host(words[4], number),
        port=_number(words[5], 65_535, "the candidate's port", number),
        type=_require(_TOKEN, words[7], "the candidate's type", number),
        relatedAddress=extensions.get("raddr"),
        relatedPort=None if related_port is None else _number(related_port, 65_535, "rport", number),
        tcpType=extensions.get("tcptype"),
        sdpMid=mid,
    )


def _number(text: str, highest: int, name: str, number: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= highest):
        raise FragmentError(f"line {number}: {name} is not a number from 0 to {highest}")
    return int(text)


def _host(text: str, number: int) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        # A name, which may be of mDNS. Who cannot resolve it ignores the candidate (RFC 9725, section 4.3.2).
        return _require(_NAME, text, "the candidate's address", number)
