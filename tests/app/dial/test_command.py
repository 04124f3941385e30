from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import _plug_in_clients, cli
from app.wav import Recording, read_wav, write_wav
from tests.caller import voice
from tests.server import QUICK, ServerHandle, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerHandle]:
    with serving(QUICK | {"BELUGA_TELEPHONY__ASTERISK": '{"username": "ann", "password": "secret"}'}) as server:
        yield server


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wav"
    write_wav(path, Recording(voice(600, 22_050), 22_050))
    return path


def run(server: ServerHandle | None, *arguments: str | Path, gateway: str = "twilio") -> Result:
    if "dial" not in [command.name for command in cli.registered_commands]:
        _plug_in_clients()
    given = ["--gateway", gateway]
    if server is not None:
        given += ["--url", f"{server.base_url.replace('http', 'ws', 1)}/v1/telephony/{gateway}"]
    return CliRunner().invoke(cli, ["dial", *given, *map(str, arguments)])


def test_a_call_is_shown_and_what_was_heard_is_written(server: ServerHandle, hello: Path, tmp_path: Path) -> None:
    result = run(server, hello, "--out", tmp_path / "reply.wav")
    reply = read_wav(tmp_path / "reply.wav")

    assert 0 == result.exit_code
    assert re.search(r"the call begins\n.* heard up to mark 1\n.* closed: 1000", result.output, re.DOTALL)
    assert f"wrote {tmp_path / 'reply.wav'}" in result.output
    assert reply.rate_hz == 8_000
    assert reply.duration_ms > 3_000
    assert max(sample for (sample,) in struct.iter_unpack("<h", reply.pcm)) > 1_000


def test_it_can_be_read_by_programs(server: ServerHandle, hello: Path) -> None:
    result = run(server, hello, "--json", "--parameter", "order=7", "--digits", "1#")
    lines = [json.loads(line) for line in result.output.splitlines()]

    assert 0 == result.exit_code
    assert "started" == lines[0]["type"]
    assert {"at_ms", "type", "detail"} == set(lines[-1])
    assert "closed" == lines[-1]["type"]


def test_a_secret_is_needed_where_one_is_set(server: ServerHandle, hello: Path) -> None:
    wrong = run(server, hello, "--secret", "ann:wrong", gateway="asterisk")
    right = run(server, hello, "--secret", "ann:secret", gateway="asterisk")

    assert (1, 0) == (wrong.exit_code, right.exit_code)
    assert "is --secret or --token right?" in wrong.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gateway", "pigeon"], "--gateway: 'pigeon' given, twilio, telnyx"),
        (["--digits", "12x"], "--digits: '12x' given"),
        (["--parameter", "order"], "--parameter: 'order' given"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], told: str, hello: Path) -> None:
    result = run(None, hello, *arguments)

    assert 2 == result.exit_code
    assert told in result.output


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(None, tmp_path / "none.wav")

    assert 2 == result.exit_code
    assert "none.wav" in result.output
