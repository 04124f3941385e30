from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app import logs
from app.calls import Call
from app.settings import Log
from app.spans import Tracing, ids
from session.errors import ErrorCode
from session.notices import (
    Ended,
    EndReason,
    ErrorOccurred,
    Latency,
    Notice,
    ReplyDone,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState
from tests.caller import calling
from tests.server import QUICK, serving

CONVERSATION: tuple[Notice, ...] = (
    StateChanged(SessionState.LISTENING, SessionState.INITIAL),
    TranscriptChanged("1", "my secret wish", final=True),
    ErrorOccurred(ErrorCode.AGENT_ERROR, "the agent cannot say: my secret wish", retryable=False, fatal=False),
    ReplyDone("1", "a secret answer", "a secret", interrupted=True, latency=Latency()),
    TurnDone("1", TurnOutcome.INTERRUPTED, Latency(response_ms=420)),
    Ended(EndReason.CLIENT),
)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    for name in ("uvicorn", "httpx2"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def told(*, transcripts: bool) -> list[Any]:
    with structlog.testing.capture_logs() as lines:
        note = logs.watcher(Log(transcripts=transcripts))(Call("s", "token", {}, None, None, transport="websocket"))
        for notice in CONVERSATION:
            note(notice)
    return lines


def test_a_session_is_a_line_at_its_start_one_a_turn_and_one_at_its_end() -> None:
    lines = told(transcripts=False)

    assert ["session started", "error", "turn", "session ended"] == [line["event"] for line in lines]
    assert ("interrupted", 420, "1") == (lines[2]["outcome"], lines[2]["response_ms"], lines[2]["turn_id"])
    assert ("agent_error", "client") == (lines[1]["code"], lines[3]["reason"])
    assert {("s", "websocket")} == {(line["session_id"], line["transport"]) for line in lines}


def test_what_was_said_is_logged_when_asked_for_and_only_then() -> None:
    turn = told(transcripts=True)[2]

    assert "secret" not in str(told(transcripts=False))
    assert ("my secret wish", "a secret answer", "a secret") == (turn["user"], turn["assistant"], turn["heard"])


def test_lines_of_ours_and_of_libraries_are_json_in_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(Log(format="json"))
    structlog.get_logger("beluga.test").info("ours", number=1)
    logging.getLogger("other").warning("of a %s", "library")
    logging.getLogger("uvicorn.error").info("GET /v1/ws?token=secret")
    ours, other = (json.loads(line) for line in stderr.getvalue().splitlines())

    assert ("ours", 1, "info", "beluga.test") == (ours["event"], ours["number"], ours["level"], ours["logger"])
    assert ("of a library", "warning") == (other["event"], other["level"])
    assert ours.keys() >= other.keys()


def test_on_a_terminal_lines_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(Log(format="console"))
    structlog.get_logger("beluga.test").warning("something happened")

    assert "something happened" in stderr.getvalue()
    assert not stderr.getvalue().startswith("{")


def test_lines_written_in_a_span_carry_its_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(Log(format="json"))
    call = Call("s", "token", {}, None, None, transport="websocket")
    with Tracing().begin(call).stage("agent", "fake", "1"):
        structlog.get_logger("beluga.test").info("ours")
        logging.getLogger("other").warning("of a library")
        inside = ids()
    structlog.get_logger("beluga.test").info("outside")
    ours, other, outside = (json.loads(line) for line in stderr.getvalue().splitlines())

    assert {"trace_id", "span_id"} == inside.keys()
    assert inside.items() <= ours.items()
    assert inside.items() <= other.items()
    assert not inside.keys() & outside.keys()


def test_the_lines_of_a_session_carry_the_ids_of_its_span_wherever_they_are_written() -> None:
    call = Call("s", "token", {}, None, None, transport="websocket")
    Tracing().begin(call)
    with structlog.testing.capture_logs() as lines:
        note = logs.watcher(Log())(call)
        for notice in CONVERSATION:
            note(notice)

    assert [ids(call.context)] * 4 == [{name: line[name] for name in ("trace_id", "span_id")} for line in lines]


def test_a_receiver_of_telemetry_that_fails_is_a_line_now_and_then_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(Log(format="json"))
    for name in ("opentelemetry.exporter.otlp", "opentelemetry.sdk._shared_internal", "of.somebody.else"):
        logging.getLogger(name).error("export failed", exc_info=ConnectionError(name))
    sdk, other = (json.loads(line) for line in stderr.getvalue().splitlines())

    assert ("opentelemetry.exporter.otlp", "of.somebody.else") == (sdk["logger"], other["logger"])
    assert "exception" not in sdk
    assert "exception" in other


def test_below_the_level_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(Log(format="json", level="error"))
    structlog.get_logger("beluga.test").warning("unimportant")

    assert "" == stderr.getvalue()


@pytest.mark.parametrize("transcripts", [False, True])
async def test_a_whole_conversation_leaves_no_word_of_the_caller_in_the_log(*, transcripts: bool) -> None:
    key = "a-key-that-is-secret"
    env = QUICK | {"BELUGA_LOG__TRANSCRIPTS": str(transcripts).lower(), "BELUGA_AUTH__API_KEYS": key}
    with serving(env) as server:
        async with calling(f"{server.ws_url}?token={key}") as caller:
            await caller.start(metadata={"name": "Hieronymus"})
            await caller.converse("the caller speaks of rhubarb")
            await caller.send("text", text=["rhubarb"])
            await caller.until("error")
            await caller.send("stop")
            await caller.until_closed()
        server.stop()
        lines = [json.loads(line) for line in server.log().splitlines()]
        written = server.log() + "".join(server.output)

        assert {"session started", "turn", "session ended"} <= {line["event"] for line in lines}
        assert transcripts == ("rhubarb" in written)
        assert "Hieronymus" not in written
        assert key not in written
