from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import app.traces
from app.calls import Call
from app.settings import WrongSettings
from app.traces import BATCH_BYTES, Traces
from session.notices import Ended, EndReason
from session.trace import read, replay
from tests.caller import calling
from tests.server import running


def a_call(session_id: str = "7") -> Call:
    return Call(session_id, "token", {}, None, None)


async def traces_in(folder: Path) -> Traces:
    """In a thread, as it comes before the event loop of a real server."""
    return await asyncio.to_thread(Traces, str(folder))


def opened(traces: Traces, call: Call) -> Callable[[str], None]:
    write = traces.open(call)
    assert write is not None
    return write


async def test_lines_are_written_to_the_file_of_the_call(tmp_path: Path) -> None:
    traces = await traces_in(tmp_path)
    call = a_call()
    write = opened(traces, call)
    write("one")
    write("two")
    traces.watch(call)(Ended(EndReason.CLIENT))
    await traces.aclose()

    assert "one\ntwo\n" == await asyncio.to_thread((tmp_path / "7.jsonl").read_text)


async def test_a_long_call_is_written_as_it_goes(tmp_path: Path) -> None:
    traces = await traces_in(tmp_path)
    write = opened(traces, a_call())
    line = "x" * (BATCH_BYTES // 4)
    for _ in range(20):
        write(line)
        await asyncio.sleep(0)
    first, *_ = asyncio.all_tasks() - {asyncio.current_task()}
    await first
    assert await asyncio.to_thread((tmp_path / "7.jsonl").exists)
    await traces.aclose()

    assert [line] * 20 == (await asyncio.to_thread((tmp_path / "7.jsonl").read_text)).splitlines()


async def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    traces = await traces_in(tmp_path / "new" / "folder")
    opened(traces, a_call())("one")
    await traces.aclose()
    file = tmp_path / "new" / "folder" / "7.jsonl"

    assert 0o600 == stat.S_IMODE((await asyncio.to_thread(file.stat)).st_mode)


async def test_a_disk_that_is_too_slow_stops_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.traces, "MAX_WAITING_BYTES", 100)
    traces = await traces_in(tmp_path)
    write = opened(traces, a_call())
    with capture_logs() as logs:
        for _ in range(20):
            write("x" * 10)
    await traces.aclose()

    assert ["the disk is too slow"] == [line["reason"] for line in logs]
    assert not await asyncio.to_thread((tmp_path / "7.jsonl").exists)


async def test_a_folder_that_went_away_stops_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    traces = await traces_in(folder)
    await asyncio.to_thread(folder.rmdir)
    opened(traces, a_call())("one")
    with capture_logs() as logs:
        await traces.aclose()

    assert ["7"] == [line["session_id"] for line in logs]


def test_nothing_is_recorded_unless_asked_for() -> None:
    assert Traces(None).open(a_call()) is None


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongSettings, match=r"log\.traces: '.*/file/below' given, cannot be made: Not a directory"):
        Traces(str(tmp_path / "file" / "below"))


def test_a_folder_that_cannot_be_written_to_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # to the super-user everything is open
    with pytest.raises(WrongSettings, match=r"log\.traces: '.*' given, a folder that can be written to allowed"):
        Traces(str(tmp_path))


async def test_a_call_is_recorded_and_would_take_the_same_course(tmp_path: Path) -> None:
    async with running(log={"traces": str(tmp_path)}) as server, calling(server.ws_url) as caller:
        ready = await caller.start()
        await caller.converse("good morning")
        await caller.send("stop")
        await caller.until("ended")
    text = await asyncio.to_thread((tmp_path / f"{ready['session_id']}.jsonl").read_text)
    steps = await asyncio.to_thread(replay, text.splitlines())

    assert "good morning" in text
    assert ready["session_id"] == read(text.splitlines()).made.config.session_id
    assert all(step.same for step in steps)


async def test_a_call_that_the_server_ends_is_recorded_to_its_end(tmp_path: Path) -> None:
    async with (
        running(log={"traces": str(tmp_path)}, server={"shutdown_grace": 0}) as server,
        calling(server.ws_url) as caller,
    ):
        ready = await caller.start()
        await server.edge.drain()
        await caller.until("ended")
    text = await asyncio.to_thread((tmp_path / f"{ready['session_id']}.jsonl").read_text)

    assert '"is":"Ended","reason":"server_shutdown"' in text.splitlines()[-1]
