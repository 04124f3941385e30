"""What every phone gateway says and can be asked, and the shape of a codec.

A codec belongs to one connection and keeps what it needs to know of it (ids, sequence numbers, the sound's encoding).
It does no I/O and has no clock. Audio on this side of it is signed 16-bit little-endian mono at ``PhoneCall.input`` and
``PhoneCall.output``'s rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

__all__ = (
    "Abilities",
    "Audio",
    "Clear",
    "Cleared",
    "Codec",
    "Command",
    "Continue",
    "Digit",
    "Event",
    "Failed",
    "FlowChanged",
    "HangUp",
    "HungUp",
    "Mark",
    "MarkReached",
    "Message",
    "Pause",
    "PhoneCall",
    "Respond",
    "SendDigits",
    "SoundEncoding",
    "SoundFormat",
    "Speak",
    "Started",
    "WireError",
)

Message = str | bytes
"""Of a WebSocket: text or binary."""

SoundEncoding = Literal["mulaw", "alaw", "l16le", "l16be", "g722"]


class WireError(ValueError):
    """A message that the gateway's protocol does not have. Its text names what was wrong, and repeats none of it."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """G.711 has 8 kHz; G.722 is 16 kHz of audio, whatever its RTP clock says (RFC 3551, section 4.5.2)."""

    encoding: SoundEncoding
    rate_hz: int


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """``call_id`` is what the gateway's REST interface knows the call by; ``parameters`` what its user gave along."""

    gateway: str
    call_id: str
    input: SoundFormat
    output: SoundFormat
    stream_id: str = ""
    caller: str | None = None
    callee: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


# --- what a gateway says --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """Once, before all audio."""

    call: PhoneCall


@dataclass(frozen=True, slots=True)
class Audio:
    """Of the caller, in order."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Digit:
    digit: str


@dataclass(frozen=True, slots=True)
class MarkReached:
    """``heard``: the audio before the mark was played; else it was dropped, as far as the gateway tells them apart."""

    name: str
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was buffered has been dropped."""


@dataclass(frozen=True, slots=True)
class FlowChanged:
    """Whether the gateway has room for more audio."""

    open: bool


@dataclass(frozen=True, slots=True)
class Respond:
    """To be sent at once: the protocol asks for it, and nothing is to be decided."""

    message: Message


@dataclass(frozen=True, slots=True)
class Failed:
    """The gateway says that something of ours went wrong; with ``retry_after_ms``, that we were too fast."""

    message: str
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HungUp:
    """The call, or its stream, is over."""


Event = Started | Audio | Digit | MarkReached | Cleared | FlowChanged | Respond | Failed | HungUp


# --- what a gateway can be asked ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speak:
    """``Abilities.packet_ms`` of it, or what is left of a reply."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """To be told of when what was spoken so far has been played. ``name`` has no spaces."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is buffered."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold what is buffered."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with what was held."""


@dataclass(frozen=True, slots=True)
class SendDigits:
    digits: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, not only the stream."""


Command = Speak | Mark | Clear | Pause | Continue | SendDigits | HangUp


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of a gateway's stream: which commands it has messages for. What it cannot do, ``encode`` turns into no message.

    ``after_clear_ms``: how long to wait with audio after a ``Clear``, where the gateway may mix up their order.
    ``packet_ms``: how much audio goes into a message.
    """

    marks: bool = False
    clear: bool = True
    pause: bool = False
    digits_in: bool = True
    digits_out: bool = False
    hang_up: bool = False
    after_clear_ms: int = 0
    packet_ms: int = 20


class Codec(Protocol):
    name: ClassVar[str]
    abilities: Abilities
    """Settled once the call has started: some gateways tell then what they can do."""
    subprotocols: ClassVar[tuple[str, ...]]
    """Of the WebSocket, the best first; empty where the gateway has none."""

    def decode(self, message: Message) -> list[Event]:
        """What the gateway has said, in order. What its protocol has and nobody here needs gives no event.

        :raises WireError: as if the message had never come: one can go on with the next.
        """

    def encode(self, command: Command) -> list[Message]:
        """The messages that ask for ``command``, in order.

        :raises RuntimeError: if the call has not ``Started``.
        """
