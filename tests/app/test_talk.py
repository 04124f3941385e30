"""The command-line caller, in a call with a small server that speaks section 3 of the protocol on a real socket."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import typer
from typer.testing import CliRunner
from websockets.asyncio.server import Server, ServerConnection, serve

from app.conversation import Conversation
from app.talk import Call, FileSource, Outcome, TalkError, talk, talk_command
from app.wav import Recording, read_wav, write_wav

RATE_HZ = 16_000
FRAME = bytes(640)
TONE = struct.pack("<320h", *[1000] * 320)

Script = Callable[[ServerConnection], Coroutine[None, None, None]]


async def tell(socket: ServerConnection, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def greet(socket: ServerConnection) -> dict[str, object]:
    """Take ``start``, answer ``ready``."""
    start: dict[str, object] = json.loads(await socket.recv())
    await tell(socket, "ready", session_id="7", audio={"encoding": "pcm_s16le", "sample_rate": RATE_HZ, "frame_ms": 20})
    await tell(socket, "state", state="listening", previous="initial")
    await tell(socket, "reply", turn_id="0", event="done", text="Hi.", heard_text="Hi.", interrupted=False, latency={})
    return start


async def answer(socket: ServerConnection, text: str) -> None:
    await tell(socket, "transcript", turn_id="1", text=text, final=True)
    await tell(socket, "state", state="processing", previous="listening")
    await tell(socket, "reply", turn_id="1", event="started")
    await tell(socket, "reply", turn_id="1", event="text", text=text)
    for _ in range(5):
        await socket.send(TONE)
    latency = {"endpoint_ms": 200, "response_ms": 390}
    heard = {"text": text, "heard_text": text, "interrupted": False, "latency": latency}
    await tell(socket, "reply", turn_id="1", event="done", **heard)
    await tell(socket, "state", state="listening", previous="speaking")


async def say_goodbye(socket: ServerConnection) -> list[bytes]:
    """Take audio until ``stop`` comes; end the session."""
    heard = []
    while not isinstance(message := await socket.recv(), str):
        heard.append(message)
    assert json.loads(message) == {"type": "stop"}
    await tell(socket, "ended", reason="client")
    return heard


async def echo(socket: ServerConnection) -> None:
    await greet(socket)
    await socket.recv()
    await answer(socket, "Hello there.")
    await say_goodbye(socket)


def url_of(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/ws"


async def call(
    script: Script, recording: Recording, *, stopping: asyncio.Event | None = None, wait_ms: int = 30_000
) -> tuple[Outcome, list[tuple[str, int]]]:
    """A call of ours with a server that acts by the script; what was shown, as (type, at_ms)."""
    shown: list[tuple[str, int]] = []

    def show(_: Conversation, message: object, __: str | None, at_ms: int) -> None:
        assert isinstance(message, dict)
        shown.append((message["type"], at_ms))

    async with serve(script, "127.0.0.1", 0, max_size=None) as server:
        arrangement = Call(url_of(server), wait_ms=wait_ms)
        outcome = await talk(arrangement, FileSource(recording), show, stopping or asyncio.Event())
    return outcome, shown


async def test_a_recording_is_answered_and_the_call_ended_in_order() -> None:
    outcome, shown = await call(echo, Recording(FRAME * 3, RATE_HZ))

    assert outcome.fine
    assert outcome.close_code == 1000
    assert ["ready", "state", "reply", "transcript", "state", "reply", "reply", "reply", "state", "ended"] == [
        kind for kind, _ in shown
    ]
    assert outcome.conversation.turns["1"].heard == "Hello there."
    assert TONE * 5 == outcome.timeline.audio(compact=True)


async def test_the_first_message_names_the_format_of_the_recording() -> None:
    starts = []

    async def script(socket: ServerConnection) -> None:
        starts.append(await greet(socket))
        await tell(socket, "ended", reason="agent")

    await call(script, Recording(bytes(160), 8_000))
    audio = {"encoding": "pcm_s16le", "sample_rate": 8_000}

    assert [{"type": "start", "audio": audio, "output": audio}] == starts


async def test_the_whole_recording_is_sent_in_frames_and_silence_after_it() -> None:
    heard: list[bytes] = []

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        heard.extend(await say_goodbye(socket))

    await call(script, Recording(b"\x01\x00" * 700, RATE_HZ))
    last = (b"\x01\x00" * 60).ljust(640, b"\0")

    begin = next(count for count, frame in enumerate(heard) if frame != FRAME)

    assert [b"\x01\x00" * 320, b"\x01\x00" * 320, last, FRAME] == heard[begin : begin + 4]
    assert {FRAME} == set(heard[:begin] + heard[begin + 3 :])


async def test_the_recording_begins_when_the_greeting_is_over() -> None:
    before: list[bytes] = []

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await tell(socket, "ready", session_id="7")
        await tell(socket, "reply", turn_id="0", event="started")
        before.extend([cast("bytes", await socket.recv()) for _ in range(80)])  # a greeting of 1.6 s
        await tell(socket, "reply", turn_id="0", event="done", text="Hi.", heard_text="Hi.", interrupted=False)
        while await socket.recv() != TONE:
            pass
        await tell(socket, "ended", reason="agent")
        await say_goodbye(socket)

    await call(script, Recording(TONE * 5, RATE_HZ))

    assert {FRAME} == set(before)


async def test_frames_keep_to_an_absolute_schedule() -> None:
    """A consumer that dawdles is caught up with: the n-th frame is never later than its time for long."""
    loop = asyncio.get_running_loop()
    source = FileSource(Recording(FRAME * 12, RATE_HZ))
    source.begin()
    began_s = loop.time()
    times_ms = []
    async for _ in source.frames():
        times_ms.append((loop.time() - began_s) * 1000)
        if len(times_ms) == 2:
            await asyncio.sleep(0.1)
        if len(times_ms) == 10:
            break

    assert all(at_ms >= 20 * count - 2 for count, at_ms in enumerate(times_ms))
    assert times_ms[9] < 180 + 60


async def test_a_pause_a_resume_and_a_clear_are_honoured() -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.recv()
        await socket.send(TONE * 100)
        await tell(socket, "paused")
        await tell(socket, "resumed")
        await tell(socket, "clear")
        await say_goodbye(socket)

    outcome, _ = await call(script, Recording(FRAME, RATE_HZ))

    assert outcome.timeline.end_ms < 1_000


async def test_the_longest_wait_is_kept_to() -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        while await socket.recv() != TONE:
            pass
        await tell(socket, "state", state="processing", previous="listening")
        await say_goodbye(socket)

    outcome, shown = await call(script, Recording(TONE, RATE_HZ), wait_ms=200)

    assert outcome.fine
    assert 200 <= shown[-1][1] < 3_000


async def test_an_interrupt_tells_the_server_to_stop() -> None:
    stopping = asyncio.Event()
    stopping.set()

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await say_goodbye(socket)

    outcome, _ = await call(script, Recording(FRAME * 500, RATE_HZ), stopping=stopping)

    assert outcome.conversation.ended == "client"


async def test_a_server_that_closes_with_a_code_is_no_success() -> None:
    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(4503, "full")

    outcome, _ = await call(script, Recording(FRAME, RATE_HZ))

    assert not outcome.fine
    assert (4503, "full") == (outcome.close_code, outcome.close_reason)


async def test_a_server_that_vanishes_is_no_success() -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        socket.transport.abort()

    outcome, _ = await call(script, Recording(FRAME, RATE_HZ))

    assert not outcome.fine
    assert outcome.close_code == 1006


async def test_the_token_goes_with_the_request() -> None:
    seen: list[str | None] = []

    async def script(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request.headers.get("Authorization"))
        await greet(socket)

    async with serve(script, "127.0.0.1", 0) as server:
        source = FileSource(Recording(FRAME, RATE_HZ))
        await talk(Call(url_of(server), token="secret"), source, lambda *_: None, asyncio.Event())

    assert ["Bearer secret"] == seen


async def test_nobody_at_home_is_said_with_the_way_to_start_a_server() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        url = url_of(server)

    with pytest.raises(TalkError, match=r"no server answers at .*: start one with `make run`"):
        await talk(Call(url), FileSource(Recording(b"", RATE_HZ)), lambda *_: None, asyncio.Event())


class Microphone:
    rate_hz = RATE_HZ
    over = False

    def begin(self) -> None:
        pass

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.02)
            yield FRAME


class Loudspeaker:
    def __init__(self) -> None:
        self.done: list[str] = []

    def play(self, pcm: bytes) -> None:
        self.done.append(f"play {len(pcm)}")

    def clear(self) -> None:
        self.done.append("clear")

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")


async def test_a_loudspeaker_does_what_the_server_says() -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.send(TONE)
        for kind in ("paused", "resumed", "clear"):
            await tell(socket, kind)
        await tell(socket, "ended", reason="agent")
        await say_goodbye(socket)

    speaker = Loudspeaker()
    async with serve(script, "127.0.0.1", 0) as server:
        await talk(Call(url_of(server)), Microphone(), lambda *_: None, asyncio.Event(), speaker)

    assert ["play 640", "pause", "resume", "clear"] == speaker.done


# --- the command --------------------------------------------------------------------------------------------------

cli = typer.Typer()
cli.command()(talk_command)


@contextmanager
def running(script: Script) -> Iterator[str]:
    """The server in a thread of its own, for a command that brings its own event loop."""
    started = threading.Event()
    found: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []
    done = asyncio.Event()

    async def main() -> None:
        async with serve(script, "127.0.0.1", 0) as server:
            found.append(url_of(server))
            loops.append(asyncio.get_running_loop())
            started.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert started.wait(5)
    try:
        yield found[0]
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join(5)


def recording_of(path: Path, rate_hz: int = RATE_HZ) -> str:
    write_wav(path, Recording(bytes(rate_hz // 25 * 2), rate_hz))
    return str(path)


def test_the_command_prints_the_words_and_writes_the_reply(tmp_path: Path) -> None:
    out = tmp_path / "reply.wav"
    with running(echo) as url:
        result = CliRunner().invoke(cli, [recording_of(tmp_path / "in.wav"), "--url", url, "--out", str(out)])

    assert result.exit_code == 0, result.output
    assert "you    Hello there." in result.output
    assert "endpoint 200 · response 390 ms" in result.output
    assert TONE * 5 == read_wav(out).pcm.strip(b"\0").ljust(3200, b"\0")


def test_json_is_one_object_per_message_and_a_summary(tmp_path: Path) -> None:
    with running(echo) as url:
        result = CliRunner().invoke(cli, [recording_of(tmp_path / "in.wav", 44_100), "--url", url, "--json"])
    objects = [json.loads(line) for line in result.output.splitlines()]

    assert result.exit_code == 0, result.output
    assert all(isinstance(each["at_ms"], int) for each in objects[:-1])
    assert ("summary", 1000, "Hello there.") == (
        objects[-1]["type"],
        objects[-1]["close_code"],
        objects[-1]["turns"][1]["said"],
    )


def test_a_refused_call_exits_with_1(tmp_path: Path) -> None:
    async def refuse(socket: ServerConnection) -> None:
        await socket.close(4401, "credential")

    with running(refuse) as url:
        result = CliRunner().invoke(cli, [recording_of(tmp_path / "in.wav"), "--url", url])

    assert result.exit_code == 1
    assert "the call ended with close code 4401: credential" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give either a WAV file or --mic"),
        (["--mic", "x.wav"], "give either a WAV file or --mic"),
        (["absent.wav"], "absent.wav: No such file"),
        ([__file__], "not a WAV file"),
    ],
)
def test_a_mistake_in_the_command_exits_with_2(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(cli, arguments)

    assert result.exit_code == 2
    assert complaint in result.output


def test_a_url_that_is_none_exits_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, [recording_of(tmp_path / "in.wav"), "--url", "http://127.0.0.1/"])

    assert result.exit_code == 2
    assert "http://127.0.0.1/" in result.output


def test_no_server_exits_with_1_and_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, [recording_of(tmp_path / "in.wav"), "--url", "ws://127.0.0.1:9/v1/ws"])

    assert result.exit_code == 1
    assert ["no server answers at ws://127.0.0.1:9/v1/ws: start one with `make run` or `beluga-voice serve`"] == (
        result.output.splitlines()
    )
