"""Opus in and out of a peer connection at little cost: one channel, no thread per caller, no work for silence.

aiortc decodes each receiver in a thread of its own, to 48 kHz stereo, five packets late; it encodes stereo at 96 kbit/s
in a pool and computes each frame's level sample by sample in Python. A voice server needs none of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtpPacket
from av import AudioCodecContext, AudioFormat, AudioFrame, AudioLayout
from av.error import FFmpegError
from av.packet import Packet

if TYPE_CHECKING:
    OpusPacket = Packet[Any]
else:
    OpusPacket = Packet

__all__ = (
    "JITTER_BUFFER",
    "SILENCE",
    "OpusDecoder",
    "OpusEncoder",
    "Received",
    "Reorder",
    "VoiceTrack",
    "take_packets",
)

FRAME_MS = 20
CLOCK_HZ = 48_000
FRAME_TICKS = CLOCK_HZ * FRAME_MS // 1_000
# The attribute that aiortc's receiver asks for each packet.
JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
# A packet of 20 ms of silence: CELT, full band, one channel, nothing coded.
SILENCE = b"\xf8\xff\xfe"
_LONG_GAP = 50
_TIME_BASE = Fraction(1, CLOCK_HZ)


class OpusEncoder:
    """Frames of 20 ms, signed 16-bit mono at `rate_hz` (8, 12, 16, 24 or 48 kHz), to packets."""

    def __init__(self, rate_hz: int, bits_per_s: int = 32_000, complexity: int = 5) -> None:
        self.frame_samples = rate_hz * FRAME_MS // 1_000
        self._rate_hz = rate_hz
        self._codec = AudioCodecContext.create("libopus", "w")
        self._codec.format, self._codec.layout = AudioFormat("s16"), AudioLayout("mono")
        self._codec.sample_rate, self._codec.bit_rate = rate_hz, bits_per_s
        self._codec.options = {"application": "voip", "compression_level": str(complexity)}
        self._pts = 0

    def encode(self, pcm: bytes) -> bytes:
        """One frame in, one packet out. Raises `ValueError` for a frame of another length."""
        if len(pcm) != 2 * self.frame_samples:
            raise ValueError(f"a frame has {2 * self.frame_samples} bytes, not {len(pcm)}")
        frame = AudioFrame(format="s16", layout="mono", samples=self.frame_samples)
        frame.planes[0].update(pcm)
        frame.sample_rate, frame.pts = self._rate_hz, self._pts
        self._pts += self.frame_samples
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


class OpusDecoder:
    """Packets to signed 16-bit mono at 48 kHz. A packet that is none gives silence."""

    def __init__(self) -> None:
        self._codec = AudioCodecContext.create("libopus", "r")
        self._codec.format, self._codec.layout = AudioFormat("s16"), AudioLayout("mono")
        self._codec.sample_rate = CLOCK_HZ

    def decode(self, packet: bytes) -> bytes:
        try:
            frames = self._codec.decode(Packet(packet))
        except FFmpegError:
            return bytes(2 * FRAME_TICKS)
        return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)


@dataclass(frozen=True, slots=True)
class Received:
    """A packet in its turn; `payload` is `None` for one that was lost. `timestamp`: 48 kHz ticks, modulo 2**32.

    `missed`: how many before it were lost in a row too long to be given one by one.
    """

    timestamp: int
    payload: bytes | None
    missed: int = 0


class Reorder:
    """Packets in order, at once. A gap waits for at most `patience` later packets; then it is given as lost.

    The server does not play what it hears, so nothing need wait for an even pace.
    """

    def __init__(self, patience: int = 3) -> None:
        self._patience = patience
        self._next: int | None = None
        self._timestamp = 0
        self._waiting: dict[int, Received] = {}

    def add(self, sequence_number: int, packet: Received) -> list[Received]:
        """What may be decoded now. A late or repeated packet gives nothing."""
        if self._next is None:
            self._next = sequence_number
        ahead = (sequence_number - self._next) & 0xFFFF
        if ahead >= 0x8000:
            return []
        if ahead > _LONG_GAP or (ahead == 0 and not self._waiting):
            # After a long gap, or when the sender began anew, there is nothing to conceal.
            self._waiting.clear()
            if ahead and (packet.timestamp - self._timestamp) & 0xFFFFFFFF == (ahead + 1) * FRAME_TICKS:
                packet = replace(packet, missed=ahead)
            return [self._take(sequence_number, packet)]
        self._waiting[sequence_number] = packet
        ready: list[Received] = []
        while self._waiting and (self._next in self._waiting or len(self._waiting) > self._patience):
            lost = Received((self._timestamp + FRAME_TICKS) & 0xFFFFFFFF, None)
            ready.append(self._take(self._next, self._waiting.pop(self._next, lost)))
        return ready

    def _take(self, sequence_number: int, packet: Received) -> Received:
        self._next = (sequence_number + 1) & 0xFFFF
        self._timestamp = packet.timestamp
        return packet


class _Tap:
    """Stands where the receiver has its jitter buffer, and keeps every packet from its decoder's thread."""

    def __init__(self, deliver: Callable[[Received], None]) -> None:
        self._reorder = Reorder()
        self._deliver = deliver

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        for received in self._reorder.add(packet.sequence_number, Received(packet.timestamp, packet.payload)):
            self._deliver(received)
        return False, None


def take_packets(receiver: RTCRtpReceiver, deliver: Callable[[Received], None]) -> None:
    """From now on each packet goes to `deliver`, in order, on the event loop; the track gives no frames any more.

    Raises `ImportError` if aiortc's receiver is not as it was in 1.16.
    """
    if not hasattr(receiver, JITTER_BUFFER):
        raise ImportError(f"aiortc's RTCRtpReceiver has no {JITTER_BUFFER}")
    setattr(receiver, JITTER_BUFFER, _Tap(deliver))


class VoiceTrack(MediaStreamTrack):
    """Sends packets as they are given, each stamped 20 ms after the last; a pause sends nothing and costs nothing.

    The giver keeps the pace. At most a second is held; past that the oldest packet is dropped. A peer that buffers by
    counting packets (aiortc does) hears the end of an utterance when five packets of `SILENCE` follow it.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets: deque[tuple[int, bytes]] = deque(maxlen=50)
        self._ready: asyncio.Future[None] | None = None
        self._ticks = 0

    def send(self, packet: bytes) -> None:
        """The next 20 ms."""
        self._packets.append((self._ticks, packet))
        self._ticks += FRAME_TICKS
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def pause(self, frames: int = 1) -> None:
        """So many times 20 ms are silent, and nothing is sent."""
        self._ticks += frames * FRAME_TICKS

    async def recv(self) -> OpusPacket:
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready = asyncio.get_running_loop().create_future()
            await self._ready
        ticks, data = self._packets.popleft()
        packet = Packet(data)
        packet.pts, packet.time_base = ticks, _TIME_BASE
        return cast(OpusPacket, packet)

    def stop(self) -> None:
        super().stop()
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
