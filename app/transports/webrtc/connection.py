"""One peer connection and the call behind it: answered, connected, talked over, and left."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

import structlog
from aiortc.codecs import get_capabilities

from app.calls import Call
from app.edge import Edge
from app.metrics import AUDIO_SAMPLE_EVERY
from app.settings import WebRtc
from app.spans import ids, within
from app.transports.commands import Commands
from app.transports.farewell import Farewell
from app.transports.ice.peer import Peer
from app.transports.jack import Jack
from app.transports.webrtc.channel import MessageChannel
from app.transports.webrtc.hearing import QUIET_MS, Hearing
from app.transports.webrtc.speaking import Speaking
from app.transports.webrtc.voice import FRAME_MS, Received, VoiceTrack, take_packets
from app.wire import messages
from app.wire.messages import AudioFormat
from session import VoiceSession
from session.errors import ErrorCode, SessionError
from session.notices import Ended, EndReason, Notice

__all__ = ("INPUT_RATE_HZ", "OUTPUT_RATE_HZ", "Connection", "fingerprints")

INPUT_RATE_HZ = 16_000
"""What the session is given. Its recognisers and detectors want no more, and one conversion is as cheap as none."""

OUTPUT_RATE_HZ = 24_000
"""What the session speaks at: no less than the voices have, and half the work of 48 kHz for the encoder."""

_MAX_WAITING = 150
"""Packets and messages that were not looked at yet: three seconds. Past that the oldest goes first."""

_FAREWELL_S = 1.0
"""For the last messages to arrive."""

_OPUS = [codec for codec in get_capabilities("audio").codecs if codec.mimeType == "audio/opus"]

_FINGERPRINT = re.compile(r"^a=fingerprint:(\S+ \S+)\s*$", re.MULTILINE)

logger = structlog.get_logger("beluga.webrtc")


def fingerprints(sdp: str) -> frozenset[str]:
    """Of the certificates that an offer names: who can prove them is the same peer as before."""
    return frozenset(text.lower() for text in _FINGERPRINT.findall(sdp))


class Connection:
    """A session's ``Plug``. ``over`` is called once, when the connection has ended and its peer is closed.

    ``owns_call``: a call that never came to be connected ends with it, and does not wait for another try.
    """

    def __init__(  # noqa: PLR0913 - what a connection is made of, by name
        self,
        edge: Edge,
        call: Call,
        peer: Peer,
        settings: WebRtc,
        *,
        resume: str | None,
        owns_call: bool,
        over: Callable[[], None],
    ) -> None:
        self.call = call
        self.peer = peer
        self.owns_call = owns_call
        self.fingerprints: frozenset[str] = frozenset()
        self.rate_hz: int = OUTPUT_RATE_HZ if call.jack is None else call.jack.rate_hz
        self._input_rate_hz = INPUT_RATE_HZ if call.jack is None else call.jack.input_rate_hz
        self._edge = edge
        self._settings = settings
        self._resume = resume
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._track = VoiceTrack()
        self._speaking = Speaking(
            self._track, self.rate_hz, bits_per_s=settings.bits_per_s, complexity=settings.complexity
        )
        self._hearing = Hearing(self._input_rate_hz)
        self._channel = MessageChannel(self._put, self._stalled)
        self._inbox: deque[Received | str | None] = deque()
        self._wake = asyncio.Event()
        self._listening = False
        self._gone = False
        self._farewell = False
        self._plugged_in = False
        self._quiet: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None

    async def answer(self, offer: str) -> str:
        """The first offer. After what it raises, `aclose` frees the peer.

        :raises OfferError: OSError: as ``Peer.answer``.
        """
        transceiver = self.peer.addTransceiver(self._track, "sendrecv")
        transceiver.setCodecPreferences(_OPUS)
        take_packets(transceiver.receiver, self._received_packet)
        self.peer.on("datachannel", self._channel.attach)
        self.peer.on("connectionstatechange", self._state_changed)
        answered = await self.peer.answer(offer)
        self.fingerprints = fingerprints(offer)
        self.call.listeners.append(self._call_told)
        self._running = asyncio.create_task(self._run())
        return answered

    async def leave(self) -> None:
        """Ends the connection, not the call, and waits for it."""
        self.close(1000, "closed")
        if self._running is None:
            await self._free()
        else:
            await asyncio.wait([self._running])

    # --- what the session calls

    def send_audio(self, frame: bytes) -> None:
        if not self._farewell:
            before = self._speaking.dropped_frames
            self._speaking.send(frame)
            self._edge.frames.dropped_sent += self._speaking.dropped_frames - before

    def clear(self) -> None:
        self._speaking.clear()

    async def aclose(self) -> None:
        """The session is over; its last message is still to be sent."""
        self._speaking.clear()

    # --- what the jack calls

    def tell(self, notice: Notice) -> None:
        text = messages.encode(notice)
        if text is not None:
            self.send(text)
        if isinstance(notice, Ended):
            self.close(1000, notice.reason)

    def send(self, text: str) -> None:
        if not self._farewell:
            self._channel.send(text)

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - of sockets; a peer connection just ends
        """After what is waiting."""
        self._farewell = True
        self._wake.set()

    # --- what the peer connection calls

    def _state_changed(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self._gone = True
        self._wake.set()

    def _stalled(self) -> None:
        self._gone = True
        self._wake.set()

    def _received_packet(self, received: Received) -> None:
        if self._listening:
            self._put(received)

    def _put(self, item: Received | str | None) -> None:
        self._inbox.append(item)
        if len(self._inbox) > _MAX_WAITING:
            # The oldest audio; a message only where nothing but messages waits, more than any rate allows.
            oldest = next((at for at, each in enumerate(self._inbox) if not isinstance(each, str)), 0)
            self._edge.frames.dropped_received += isinstance(self._inbox[oldest], Received)
            del self._inbox[oldest]
        self._wake.set()

    def _call_told(self, notice: Notice) -> None:
        if isinstance(notice, Ended) and not self._plugged_in:
            self.tell(notice)

    # --- the connection's task

    async def _run(self) -> None:
        reason: EndReason | None = EndReason.ERROR
        try:
            if await self._connected():
                session = await self._plug_in()
                with within(self.call.context):
                    await self._listen(session)
            reason = None
        except Farewell as farewell:
            self.send(farewell.text)
            reason = EndReason.CLIENT
        except SessionError as error:
            self.send(messages.error(error.code, error.message, retryable=error.retryable, fatal=True))
        except Exception:  # the edge of the server: one connection's mistake is not another's
            logger.exception("connection failed", session_id=self.call.session_id, **ids(self.call.context))
            self.send(messages.error(ErrorCode.INTERNAL_ERROR, "something went wrong in the server", fatal=True))
        finally:
            self._listening = False
            await self._leave(reason)
            self.close(1000, "over")
            await self._channel.flush(_FAREWELL_S)
            await self._free()

    async def _connected(self) -> bool:
        """Whether there came to be a connection; ICE and DTLS have their own time limits, and the call its expiry."""
        while self.peer.connectionState != "connected":
            if self._gone or self._farewell:
                return False
            self._wake.clear()
            await self._wake.wait()
        return True

    async def _plug_in(self) -> VoiceSession:
        """Nothing is awaited before the connection is plugged in: of two who come at once, the second finds it done."""
        call, calls = self.call, self._edge.calls
        if self._resume is not None:
            calls.find_by_resume_token(self._resume)  # somebody else may have come first
            self._plugged_in = True
            session = calls.resume(call, "webrtc", self, self._ready)
        else:
            if call.session is not None:
                raise SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, "somebody is connected to this session")
            self._plugged_in = True
            self.send(self._ready(call.resume_token))
            call.jack = jack = Jack(self, input_rate_hz=self._input_rate_hz)
            session = await calls.connect(
                call,
                "webrtc",
                jack,
                input_rate_hz=self._input_rate_hz,
                listener=jack.tell,
                echo_cancelled=not self._settings.echo_cancellation,
            )
        self._speaking.keep_warm()
        logger.info("peer connected", session_id=call.session_id, path=self.peer.path, **ids(call.context))
        return session

    def _ready(self, resume_token: str) -> str:
        # The rates of the two transports are the same literals.
        return messages.ready(self.call.session_id, resume_token, AudioFormat("pcm_s16le", self.rate_hz))  # type: ignore[arg-type]

    async def _listen(self, session: VoiceSession) -> None:
        """Until the peer is gone, or the session has ended."""
        commands = Commands(self._edge, self.call, session, self)
        self._listening = True
        self._watch_for_silence()
        until_timed = 0
        while not (self._gone or self._farewell):
            if not self._inbox:
                self._wake.clear()
                await self._wake.wait()
                continue
            item = self._inbox.popleft()
            if isinstance(item, str):
                await commands.obey(item)
                continue
            pcm = self._heard(item)
            until_timed -= 1
            if until_timed > 0:
                await session.process_audio(pcm)
            else:
                until_timed = AUDIO_SAMPLE_EVERY
                with self._edge.metrics.operation("process_audio"):
                    await session.process_audio(pcm)

    def _heard(self, item: Received | None) -> bytes:
        now_ms = int(self._loop.time() * 1000)
        if item is None:
            return self._hearing.wait(now_ms)
        before = self._hearing.lost
        pcm = self._hearing.hear(item, now_ms)
        self._edge.frames.dropped_received += self._hearing.lost - before
        return pcm

    def _watch_for_silence(self) -> None:
        """Look again when the sender may have fallen silent; while it is, each frame."""
        if not self._listening:
            return
        now_s, heard_ms = self._loop.time(), self._hearing.heard_ms
        quiet_from_s = now_s + QUIET_MS / 1000 if heard_ms is None else (heard_ms + QUIET_MS) / 1000
        if quiet_from_s <= now_s:
            self._put(None)
            quiet_from_s = now_s + FRAME_MS / 1000
        self._quiet = self._loop.call_at(quiet_from_s, self._watch_for_silence)

    async def _leave(self, reason: EndReason | None) -> None:
        """Without a ``reason`` the client is gone and may come back. What was taken over has no say."""
        call, calls = self.call, self._edge.calls
        if self._call_told in call.listeners:
            call.listeners.remove(self._call_told)
        if not self._plugged_in:
            if self.owns_call:
                await calls.end(call, EndReason.TIMEOUT)
        elif call.jack is None or call.jack.holds(self):
            if reason is None:
                await calls.hold(call)
            else:
                await calls.end(call, reason)

    async def _free(self) -> None:
        self._listening = False
        if self._quiet is not None:
            self._quiet.cancel()
        self._speaking.close()
        self._track.stop()
        await self.peer.close()
        self._over()
