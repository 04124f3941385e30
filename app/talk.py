"""``beluga-voice talk``: a caller for the command line, on section 3 of the protocol.

Streams a recording (or the microphone) in real time, shows what the server hears and says, and keeps the reply.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from app.conversation import Conversation
from app.headset import Headset, HeadsetError
from app.timeline import Timeline
from app.wav import Recording, WavError, read_wav, write_wav
from providers.resample import Resampler

__all__ = ("Call", "FileSource", "Outcome", "TalkError", "talk", "talk_command")

_RATES_HZ = (8_000, 16_000, 24_000, 48_000)
_FRAME_MS = 20
_MICROPHONE_HZ = 16_000
_CLOSING_S = 5.0


class TalkError(Exception):
    """The call did not come about. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Call:
    """``wait_ms``: the longest to stay after the last word was said."""

    url: str
    token: str | None = None
    wait_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Outcome:
    conversation: Conversation
    timeline: Timeline
    close_code: int | None
    close_reason: str

    @property
    def fine(self) -> bool:
        return not self.conversation.failed and self.close_code == 1000


class Source(Protocol):
    """Who speaks: frames of 20 ms, signed 16-bit little-endian mono at ``rate_hz``, each on its time."""

    rate_hz: int
    over: bool
    """Nothing but silence comes from now on. For a microphone, never."""

    def begin(self) -> None:
        """The agent has greeted: until now it was to be silent."""

    def frames(self) -> AsyncIterator[bytes]: ...


class Speaker(Protocol):
    """What plays the reply beside the timeline: a loudspeaker."""

    def play(self, pcm: bytes) -> None: ...

    def clear(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


Show = Callable[[Conversation, Mapping[str, object], str | None, int], None]
"""Called with every message: the conversation so far, the message, its line if it has one, and when it came."""


async def talk(
    call: Call, source: Source, show: Show, stopping: asyncio.Event, speaker: Speaker | None = None
) -> Outcome:
    """Make the call and stay in it until the recording was answered, ``stopping`` is set, or the server ends it.

    :raises TalkError: when no connection comes about.
    """
    async with await _connect(call) as socket:
        return await _Talk(call, socket, source, show, speaker).run(stopping)


async def _connect(call: Call) -> ClientConnection:
    headers = {"Authorization": f"Bearer {call.token}"} if call.token else {}
    local = urlsplit(call.url).hostname in ("127.0.0.1", "localhost", "::1")
    try:
        return await connect(
            call.url, additional_headers=headers, compression=None, max_size=None, proxy=None if local else True
        )
    except InvalidStatus as error:
        hint = " (is --token right?)" if error.response.status_code in (401, 403) else ""
        raise TalkError(f"{call.url} refused the call: HTTP {error.response.status_code}{hint}") from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise TalkError(
            f"no server answers at {call.url}: start one with `make run` or `beluga-voice serve`"
        ) from error


class _Talk:
    """One call: a task that sends, while this one receives."""

    def __init__(
        self, call: Call, socket: ClientConnection, source: Source, show: Show, speaker: Speaker | None
    ) -> None:
        self._call = call
        self._socket = socket
        self._source = source
        self._show = show
        self._speaker = speaker
        self._conversation = Conversation()
        self._timeline = Timeline(source.rate_hz)
        self._ready = asyncio.Event()
        self._began_s = 0.0
        self._begun = False
        self._said_all_ms: int | None = None

    async def run(self, stopping: asyncio.Event) -> Outcome:
        sender = asyncio.create_task(self._send(stopping))
        try:
            async for message in self._socket:
                self._take(message)
        except ConnectionClosed:
            pass  # the close code says why
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await sender
        return Outcome(self._conversation, self._timeline, self._socket.close_code, self._socket.close_reason or "")

    async def _send(self, stopping: asyncio.Event) -> None:
        audio = {"encoding": "pcm_s16le", "sample_rate": self._source.rate_hz}
        await self._socket.send(json.dumps({"type": "start", "audio": audio, "output": audio}))
        await self._ready.wait()
        async for frame in self._source.frames():
            if stopping.is_set() or self._over(self._now_ms()):
                break
            await self._socket.send(frame)
        await self._socket.send('{"type": "stop"}')
        with suppress(TimeoutError):
            await asyncio.wait_for(self._socket.wait_closed(), _CLOSING_S)
        await self._socket.close()

    def _over(self, now_ms: int) -> bool:
        """Whether to hang up. Lets the recording begin when the agent has greeted, and notes when it ended."""
        if not self._begun and self._conversation.greeted(now_ms):
            self._begun = True
            self._source.begin()
        if not self._source.over:
            return self._conversation.ended is not None
        if self._said_all_ms is None:
            self._said_all_ms = now_ms
        waited_ms = now_ms - self._said_all_ms
        return waited_ms >= self._call.wait_ms or self._conversation.finished(now_ms, self._said_all_ms)

    def _now_ms(self) -> int:
        """Since the server was ready and the first frame was sent: the time of the reply's file, too."""
        return round((asyncio.get_running_loop().time() - self._began_s) * 1000) if self._ready.is_set() else 0

    def _take(self, raw: str | bytes) -> None:
        at_ms = self._now_ms()
        if isinstance(raw, bytes):
            self._timeline.add(raw, at_ms)
            if self._speaker:
                self._speaker.play(raw)
            return
        message = json.loads(raw)
        match message["type"]:
            case "ready":
                self._began_s = asyncio.get_running_loop().time()
                self._ready.set()
            case "clear" | "paused" | "resumed" as change:
                self._change_playing(change, at_ms)
        self._show(self._conversation, message, self._conversation.handle(message, at_ms), at_ms)

    def _change_playing(self, change: str, at_ms: int) -> None:
        match change:
            case "clear":
                self._timeline.clear(at_ms)
            case "paused":
                self._timeline.pause(at_ms)
            case "resumed":
                self._timeline.resume(at_ms)
        if self._speaker:
            {"clear": self._speaker.clear, "paused": self._speaker.pause, "resumed": self._speaker.resume}[change]()


class FileSource:
    """A recording that is said once, after the greeting; silence before it and after it."""

    def __init__(self, recording: Recording) -> None:
        self.rate_hz = recording.rate_hz
        self.over = False
        self._pcm = recording.pcm
        self._begun = False

    def begin(self) -> None:
        self._begun = True

    async def frames(self) -> AsyncIterator[bytes]:
        """By an absolute schedule: a frame that is late does not make the next one late."""
        loop = asyncio.get_running_loop()
        size = self.rate_hz * _FRAME_MS // 1000 * 2
        began_s = loop.time()
        said = 0
        for count in itertools.count():
            await asyncio.sleep(began_s + count * _FRAME_MS / 1000 - loop.time())
            frame = self._pcm[said : said + size] if self._begun else b""
            said += len(frame)
            self.over = self._begun and said == len(self._pcm)
            yield frame.ljust(size, b"\0")


def show_json(_: Conversation, message: Mapping[str, object], __: str | None, at_ms: int) -> None:
    sys.stdout.write(json.dumps({**message, "at_ms": at_ms}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


_STYLES = {"you": "bold cyan", "agent": "green", "error:": "bold red"}


def show_live(live: Live) -> Show:
    """Lines that stay, and below them the state with the words that are still changing."""

    def show(conversation: Conversation, _: Mapping[str, object], line: str | None, __: int) -> None:
        if line:
            live.console.print(Text(line, style=_STYLES.get(line.split(maxsplit=1)[0], "dim")), soft_wrap=True)
        below = Text(f"[{conversation.state}] {conversation.interim}", "dim italic", no_wrap=True, overflow="ellipsis")
        live.update(below, refresh=True)

    return show


def _sendable(recording: Recording) -> Recording:
    if recording.rate_hz in _RATES_HZ:
        return recording
    return Recording(Resampler(recording.rate_hz, 16_000).process(recording.pcm, last=True), 16_000)


async def _talk_from_file(call: Call, recording: Recording, show: Show) -> Outcome:
    return await talk(call, FileSource(recording), show, _stop_on_interrupt())


async def _talk_from_microphone(call: Call, show: Show) -> Outcome:
    with Headset(_MICROPHONE_HZ) as headset:
        return await talk(call, headset, show, _stop_on_interrupt(), headset)


def _stop_on_interrupt() -> asyncio.Event:
    """Ctrl-C ends the call in order: the server is told, and what was heard is kept."""
    stopping = asyncio.Event()
    with suppress(NotImplementedError):  # on Windows Ctrl-C simply ends the program
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopping.set)
    return stopping


def _fail(message: str, code: int) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


def talk_command(  # noqa: PLR0913  # the options of a command line
    *,
    file: Annotated[Path | None, typer.Argument(help="A WAV of any rate; the words in it are sent as yours.")] = None,
    url: Annotated[str, typer.Option(help="The server's audio WebSocket.")] = "ws://127.0.0.1:8080/v1/ws",
    out: Annotated[
        Path | None, typer.Option(help="Write what the agent said, on the time of the call, as WAV.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="API key or client token.")] = None,
    wait: Annotated[float, typer.Option(help="The longest to wait after the end of the file, in seconds.")] = 30.0,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line and message.")] = False,
    compact: Annotated[bool, typer.Option(help="Without the long silences in --out.")] = False,
    mic: Annotated[bool, typer.Option(help="Talk with microphone and headphones.")] = False,
) -> None:
    """Talk to a server: stream a recording in real time and hear its answer."""
    if (file is None) != mic:
        raise _fail("give either a WAV file or --mic", 2)
    try:
        recording = _sendable(read_wav(file)) if file else None
        outcome = _run(Call(url, token, round(wait * 1000)), recording, json_lines=json_lines)
        if out:
            write_wav(out, Recording(outcome.timeline.audio(compact=compact), outcome.timeline.rate_hz))
    except (WavError, InvalidURI) as error:
        raise _fail(str(error), 2) from None
    except (TalkError, HeadsetError) as error:
        raise _fail(str(error), 1) from None
    if json_lines:
        written = {"out": str(out) if out else None, "audio_ms": outcome.timeline.end_ms}
        typer.echo(json.dumps({**outcome.conversation.summary(), **written, "close_code": outcome.close_code}))
    elif out:
        typer.echo(f"wrote {out}")
    if not outcome.fine:
        reason = f": {outcome.close_reason}" if outcome.close_reason else ""
        raise _fail(f"the call ended with close code {outcome.close_code}{reason}", 1)


def _run(call: Call, recording: Recording | None, *, json_lines: bool) -> Outcome:
    live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)
    with nullcontext() if json_lines else live:
        show = show_json if json_lines else show_live(live)
        if recording:
            return asyncio.run(_talk_from_file(call, recording, show))
        return asyncio.run(_talk_from_microphone(call, show))
