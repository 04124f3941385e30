"""A caller on a phone, behind a gateway that is simulated: speaks in real time, and hears what the server says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from app.dial.playout import Playout
from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Message,
    Pause,
    PhoneCall,
    SendDigits,
    Speak,
    Started,
)
from app.wire.phone.far.api import Gateway
from providers.audio import BYTES_PER_SAMPLE, level_dbfs
from session.pacer import FRAME_MS

__all__ = ("Happened", "Phone", "Room")

_CLOSING_S = 2.0

_SILENCE_DBFS = -50.0


@dataclass(frozen=True, slots=True)
class Happened:
    """``at_ms``: since the call began. ``what``: started, mark, clear, pause, continue, digits, hang_up, closed."""

    at_ms: int
    what: str
    detail: str = ""


class Room(Protocol):
    """Where the phone stands: what it plays may come back through its microphone."""

    def plays(self, frame: bytes) -> None: ...

    def mixed(self, frame: bytes) -> bytes:
        """What the microphone takes, when the caller says ``frame``."""


class Phone:
    """One call. ``heard``: what came out of the loudspeaker since the call began, silence included, at the rate of the
    call's output; ``heard_ms``: when the last sound did; ``sounded_ms``: how long it was no silence; ``dropped_ms``: of
    audio, by clears.

    Set ``returns_marks`` or ``sends`` to False to see what a server does about a gateway that fails.
    """

    def __init__(
        self,
        gateway: Gateway,
        call: PhoneCall,
        *,
        delay_ms: int = 0,
        room: Room | None = None,
        tell: Callable[[Happened], None] = lambda _happened: None,
    ) -> None:
        self.call = call
        self.happened: list[Happened] = []
        self.heard = bytearray()
        self.heard_ms: int | None = None
        self.over = False
        self.sounded_ms = self.dropped_ms = 0
        self.returns_marks = self.sends = True
        self._gateway = gateway
        self._playout = Playout(call.output.rate_hz, delay_ms)
        self._room = room
        self._tell = tell
        self._frame_bytes = call.input.rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE
        self._to_say: deque[bytes] = deque()
        self._began_s = asyncio.get_running_loop().time()
        self._begun = asyncio.Event()
        self._changed = asyncio.Condition()

    @property
    def now_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._began_s) * 1000)

    @property
    def is_speaking(self) -> bool:
        return bool(self._to_say)

    def of(self, what: str) -> list[Happened]:
        return [each for each in self.happened if each.what == what]

    @property
    def subprotocols(self) -> tuple[str, ...]:
        return self._gateway.subprotocols

    @property
    def was_fine(self) -> bool:
        """Whether the call has ended as calls do."""
        return any(each.detail.startswith(("1000", "1001")) for each in self.of("closed"))

    # --- what the caller does

    def say(self, pcm: bytes) -> None:
        """Behind what is being said; at the rate of the call's input."""
        size = self._frame_bytes
        self._to_say.extend(pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size))

    async def press(self, digit: str) -> None:
        await self.send(Digit(digit))

    async def hang_up(self) -> None:
        if not self.over:
            await self.send(HungUp())
            self.over = True

    def first_messages(self) -> list[Message]:
        """What the gateway says before anything else."""
        return self._gateway.encode(Started(self.call))

    async def send(self, event: Event) -> None:
        """Once the call has begun; nothing where it has ended."""
        await self._begun.wait()
        for message in [] if self.over else self._gateway.encode(event):
            await self.send_raw(message)

    async def send_raw(self, message: Message) -> None:
        """As it is, whether the gateway would or not."""
        try:
            if self.sends:
                await self._socket.send(message)
        except ConnectionClosed:
            self.over = True

    def drop(self) -> None:
        """Cut the connection without a word."""
        self._socket.transport.abort()

    def deafen(self) -> None:
        """Read nothing more."""
        self._socket.transport.pause_reading()

    async def until(self, found: Callable[[Phone], bool]) -> None:
        """Looked at every 20 ms; the call's end is the end of it, too."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.over or found(self))

    # --- the call

    async def run(self, socket: ClientConnection) -> None:
        """Until either side has hung up and the socket is closed."""
        self._socket = socket
        self._began_s = asyncio.get_running_loop().time()
        speaking = asyncio.create_task(self._speak())
        try:
            async for message in socket:
                for command in self._gateway.decode(message):
                    await self._obey(command)
        except ConnectionClosed:
            pass  # the close code says why
        finally:
            self.over = True
            self._begun.set()
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await socket.close()
            self._note("closed", f"{socket.close_code} {socket.close_reason or ''}".strip())
            async with self._changed:
                self._changed.notify_all()

    async def _speak(self) -> None:
        """By an absolute schedule: 20 ms that are late do not make the next ones late."""
        loop, count = asyncio.get_running_loop(), 0
        for message in self.first_messages():
            await self.send_raw(message)
        self._note("started")
        self._begun.set()
        while not self.over:
            await asyncio.sleep(self._began_s + count * FRAME_MS / 1000 - loop.time())
            count += 1
            played = self._playout.play()
            self.heard += played.frame
            if level_dbfs(played.frame) > _SILENCE_DBFS:
                self.heard_ms = self.now_ms
                self.sounded_ms += FRAME_MS
            for name in played.marks:
                self._note("mark", name)
                if self.returns_marks:
                    await self.send(MarkReached(name))
            await self.send(Audio(self._taken(played.frame)))
            async with self._changed:
                self._changed.notify_all()
        await asyncio.wait_for(self._socket.close(), _CLOSING_S)

    def _taken(self, played: bytes) -> bytes:
        """What the microphone takes in these 20 ms."""
        said = self._to_say.popleft() if self._to_say else bytes(self._frame_bytes)
        if self._room is None:
            return said
        self._room.plays(played)
        return self._room.mixed(said)

    async def _obey(self, command: Command) -> None:
        match command:
            case Speak(pcm):
                self._playout.add(pcm)
            case Mark(name):
                self._playout.mark(name)
            case Clear():
                self._note("clear")
                self.dropped_ms += self._playout.buffered_ms
                for name in self._playout.clear():
                    await self.send(MarkReached(name, heard=False))
                await self.send(Cleared())
            case Pause():
                self._note("pause")
                self._playout.pause()
            case Continue():
                self._note("continue")
                self._playout.resume()
            case SendDigits(digits):
                self._note("digits", digits)
            case HangUp():
                self._note("hang_up")
                await self.hang_up()
            case _:
                assert_never(command)

    def _note(self, what: str, detail: str = "") -> None:
        happened = Happened(self.now_ms, what, detail)
        self.happened.append(happened)
        self._tell(happened)
