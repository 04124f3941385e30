from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from app.cli import _plug_in_clients, cli
from app.replay import replay_file
from session.config import SayOptions, SessionConfig
from session.events import (
    AgentDid,
    AgentFinished,
    AgentSaid,
    Attached,
    Detached,
    DtmfPressed,
    Event,
    Failed,
    HungUp,
    InterruptAsked,
    SayAsked,
    Started,
    Typed,
)
from session.notices import EndReason
from session.trace import EngineMade, RecordedEngine, Recorder

EVENTS: list[tuple[int, Event]] = [
    (5_000, Started("Good morning.")),
    (5_100, Failed(1, "no voice", retryable=False)),
    (6_000, Typed("what time is it")),
    (6_300, AgentSaid(2, "It is noon. ")),
    (6_310, AgentFinished(2)),
    (6_400, Detached()),
    (6_500, Attached()),
    (7_000, InterruptAsked()),
    (7_100, SayAsked("u", "One moment.", SayOptions())),
    (7_200, DtmfPressed("5")),
    (8_000, HungUp(EndReason.CLIENT)),
]


def record(file: Path, events: list[tuple[int, Event]]) -> None:
    lines: list[str] = []
    made = EngineMade(SessionConfig(), rate_hz=16_000, detects_turns=False)
    engine = RecordedEngine(made.make(), Recorder(lines.append, made))
    for at_ms, event in events:
        engine.handle(event, at_ms)
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    record(tmp_path / "call.jsonl", EVENTS)
    return tmp_path / "call.jsonl"


def shown(file: Path) -> tuple[bool, str]:
    console = Console(width=200, file=io.StringIO())
    same = replay_file(file, console)
    return same, console.file.getvalue()  # type: ignore[attr-defined] # it is the one above


def test_a_call_is_shown_as_a_timeline(recording: Path) -> None:
    same, text = shown(recording)

    assert same
    assert f"{len(EVENTS)} events: the same commands as when it was recorded" in text
    for line in (
        r"    0\.000  agent  Good morning\.",
        r"    0\.100  failed no voice \(final\)",
        r"    1\.000  types  what time is it",
        r"    1\.000  user   what time is it",
        r"    1\.400  line   the connection is lost",
        r"    2\.000  stop   the client asked for silence",
        r"    2\.100  say    One moment\.",
        r"    2\.200  dtmf   5",
        r"    2\.000  turn   2 interrupted: .*ms",
        r"    3\.000  ended  client",
    ):
        assert re.search(line, text), line


def test_the_first_difference_is_shown(recording: Path) -> None:
    recording.write_text(recording.read_text().replace('"text":"It is noon."', '"text":"It is one."'))
    same, text = shown(recording)

    assert not same
    assert "line 5: not the same as when it was recorded" in text
    assert re.search(r"then .*It is one\.", text)
    assert re.search(r"now .*It is noon\.", text)
    assert "ended" not in text


def test_a_call_that_raises_otherwise_is_shown(recording: Path) -> None:
    lines = recording.read_text().splitlines()
    recording.write_text("\n".join([*lines, '{"at_ms":8100,"event":{"is":"Typed","text":"x"},"raised":"capacity"}']))
    _, text = shown(recording)

    assert re.search(r"then +raises capacity", text)
    assert re.search(r"now +raises session_not_active", text)


def test_a_call_that_was_broken_into_says_so() -> None:
    _, text = shown(Path(__file__).parents[1] / "traces" / "a_story_that_is_broken_into.jsonl")

    assert re.search(r"paused: the user may be breaking in\n.* the user broke in; it stopped after \d+ ms\n", text)
    assert "lighthouse (interrupted)" in text


def test_what_the_agent_asked_for_is_shown(tmp_path: Path) -> None:
    asked: list[tuple[int, Event]] = [
        (0, Started()),
        (10, AgentDid(1, "transfer", to="the desk")),
        (20, AgentFinished(1)),
    ]
    file = tmp_path / "call.jsonl"
    record(file, asked)

    assert "agent  transfer the desk" in shown(file)[1]


def test_a_recording_that_reached_its_limit_says_so(recording: Path) -> None:
    recording.write_text(recording.read_text() + '{"cut":true}\n')

    assert "the recording reached its limit here" in shown(recording)[1]


@pytest.fixture(scope="module", autouse=True)
def all_commands() -> None:
    if "replay" not in {command.name for command in cli.registered_commands}:
        _plug_in_clients()


def test_the_command_exits_with_0_where_all_is_the_same(recording: Path) -> None:
    assert 0 == CliRunner().invoke(cli, ["replay", str(recording)]).exit_code


def test_the_command_exits_with_1_at_a_difference(recording: Path) -> None:
    recording.write_text(recording.read_text().replace('"is":"ReplyText"', '"is":"Text"'))

    assert 1 == CliRunner().invoke(cli, ["replay", str(recording)]).exit_code


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}\n", "line 1: a trace of format 1 begins"), (b"\xff\xfe", "cannot be read: not text")],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    result = CliRunner().invoke(cli, ["replay", str(tmp_path / "x.jsonl")])

    assert 2 == result.exit_code
    assert message in result.output


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["replay", str(tmp_path / "x.jsonl")])

    assert 2 == result.exit_code
    assert "cannot be read: No such file" in result.output
