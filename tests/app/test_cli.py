from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner

from app.auth import AUDIENCE
from app.cli import cli
from app.gateways.tokens import OneShotTokens
from tests.server import QUICK, ROOT

SECRET = "a secret of thirty-two bytes and more"


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=QUICK | env, capture_output=True, text=True, check=False, timeout=30)


def test_every_command_is_there() -> None:
    text = run("--help").stdout

    assert all(f" {name} " in text for name in ("serve", "talk", "check", "providers", "agent", "token"))


def test_wrong_settings_are_lines_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    config = tmp_path / "voice.toml"
    config.write_text('[session]\ntimeout = "5s"\n')
    result = run("serve", "--config", str(config), "--port", "99999", BELUGA_NONSENSE="1")

    assert 2 == result.returncode
    assert "session.timeout: 5s given, 1m to 24h allowed" in result.stderr.splitlines()
    assert 3 == len(result.stderr.splitlines())
    assert "" == result.stdout


def test_a_wrong_option_of_a_provider_is_a_line_too() -> None:
    result = run("serve", BELUGA_TTS__OPTIONS='{"colour": 1}')

    assert 2 == result.returncode
    assert result.stderr.startswith("tts.options.colour: ")
    assert "Traceback" not in result.stderr


def test_beyond_loopback_without_a_credential_the_server_does_not_start() -> None:
    result = run("serve", "--host", "0.0.0.0")

    assert 2 == result.returncode
    assert "--insecure" in result.stderr


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]))

    assert 2 == result.returncode
    assert result.stderr.startswith("server.port: 127.0.0.1:")


@pytest.mark.parametrize(("options", "code"), [("{}", 0), ('{"duration_ms": -5}', 1)])
def test_check_exits_with_1_when_a_provider_fails(options: str, code: int) -> None:
    result = CliRunner().invoke(cli, ["check"], env=QUICK | {"BELUGA_TTS__OPTIONS": options})

    assert code == result.exit_code


def test_providers_are_listed() -> None:
    result = CliRunner().invoke(cli, ["providers"])

    assert 0 == result.exit_code
    assert "moonshine" in result.output


def test_a_token_has_the_scopes_and_the_time_that_were_asked_for() -> None:
    env = {"BELUGA_AUTH__JWT_SECRET": SECRET}
    result = CliRunner().invoke(cli, ["token", "--scope", "talk,read", "--ttl", "5m"], env=env)
    claims = jwt.decode(result.output.strip(), SECRET, algorithms=["HS256"], audience=AUDIENCE)

    assert "read talk" == claims["scope"]
    assert 300 == claims["exp"] - claims["iat"]


def test_a_token_of_nonsense_is_refused_line_by_line() -> None:
    result = CliRunner().invoke(cli, ["token", "--scope", "dance", "--ttl", "soon"])

    assert 2 == result.exit_code
    assert ["--scope", "--ttl", "auth.jwt_secret"] == [line.split(":")[0] for line in result.stderr.splitlines()]


def test_a_token_for_a_gateway_opens_one_connection() -> None:
    env = {"BELUGA_AUTH__JWT_SECRET": SECRET}
    result = CliRunner().invoke(cli, ["token", "--gateway", "freeswitch", "--ttl", "1m"], env=env)
    tokens = OneShotTokens(SECRET)

    assert tokens.use("freeswitch", result.output.strip())
    assert not tokens.use("freeswitch", result.output.strip())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "--scope: given or --gateway, one of them needed"),
        (["--scope", "talk", "--gateway", "twilio"], "--scope: given or --gateway, one of them needed"),
        (["--gateway", "nobody"], "--gateway: 'nobody' given, twilio, telnyx, vonage, plivo, "),
    ],
)
def test_a_token_is_for_scopes_or_for_a_gateway(arguments: list[str], line: str) -> None:
    result = CliRunner().invoke(cli, ["token", *arguments], env={"BELUGA_AUTH__JWT_SECRET": SECRET})

    assert 2 == result.exit_code
    assert result.stderr.startswith(line)
