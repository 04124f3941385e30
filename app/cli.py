"""``beluga-voice``: serve, talk, dial, check, providers, agent, replay, token.

A command imports what it needs when it is called.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ("cli", "main")

cli = typer.Typer(
    help="A real-time voice server: callers talk to your agent, and can interrupt it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")]


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 unless set.")] = None,
    port: Annotated[int | None, typer.Option(help="8080 unless set; 0 takes a free one.")] = None,
    config: ConfigFile = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Serve beyond this machine without any credential.")
    ] = None,
) -> None:
    """Run the server."""
    given = {"host": host, "port": port, "insecure": insecure}
    flags = {"server": {name: value for name, value in given.items() if value is not None}}
    settings = _settings(config, flags)

    import uvloop  # noqa: PLC0415 - only a server needs it

    from app import logs, server  # noqa: PLC0415 - only a server needs them
    from app.main import create_app  # noqa: PLC0415 - as above
    from app.settings import WrongSettings  # noqa: PLC0415 - as above

    logs.configure(settings.log)
    try:
        app = create_app(settings)
    except WrongSettings as error:
        _refuse(error.lines)
    try:
        listener = server.bind(settings.server.host, settings.server.port)
    except OSError as error:
        place = f"{settings.server.host}:{settings.server.port}"
        _refuse([f"server.port: {place} given, cannot listen there: {error.strerror}"])
    unusable = server.unusable_addresses(settings.webrtc)
    if unusable:
        _refuse(unusable)
    uvloop.run(server.serve(app, listener))


@cli.command()
def check(config: ConfigFile = None) -> None:
    """Make and load every configured provider once, and say what fails."""
    from app.check import check_all  # noqa: PLC0415 - brings the providers

    raise typer.Exit(check_all(_settings(config, {})))


@cli.command()
def providers() -> None:
    """List every registered provider, installed or not."""
    from app.check import show_providers  # noqa: PLC0415 - brings rich

    show_providers()


@cli.command()
def token(
    scope: Annotated[list[str] | None, typer.Option(help="talk, read or manage; may be given several times.")] = None,
    ttl: Annotated[str | None, typer.Option(help="How long it is valid: 30s, 5m, 1h; 1h unless set.")] = None,
    gateway: Annotated[
        str | None, typer.Option(help="For one connection of this gateway instead; telephony.token_ttl unless --ttl.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Mint a client token, signed with auth.jwt_secret."""
    from app.auth import Scope, mint  # noqa: PLC0415 - only needed here
    from app.gateways.tokens import OneShotTokens  # noqa: PLC0415 - as above
    from app.wire.phone.catalogue import CODECS  # noqa: PLC0415 - as above

    settings = _settings(config, {})
    wanted = [name for given in scope or () for name in given.replace(",", " ").split()]
    mistakes = [f"--scope: {name!r} given, {', '.join(Scope)} allowed" for name in wanted if name not in set(Scope)]
    if gateway is not None and gateway not in CODECS:
        mistakes.append(f"--gateway: {gateway!r} given, {', '.join(CODECS)} allowed")
    if bool(wanted) == (gateway is not None):
        mistakes.append("--scope: given or --gateway, one of them needed")
    ttl_s = _ttl_s(ttl, settings.telephony.token_ttl if gateway is not None else 3600.0, mistakes)
    secret = settings.auth.jwt_secret
    if secret is None:
        mistakes.append("auth.jwt_secret: not set, needed to sign a token")
    if mistakes or secret is None:
        _refuse(mistakes)
    if gateway is not None:
        typer.echo(OneShotTokens(secret.get_secret_value()).mint(gateway, ttl_s))
    else:
        typer.echo(mint(secret.get_secret_value(), frozenset(map(Scope, wanted)), ttl_s))


def _ttl_s(given: str | None, default_s: float, mistakes: list[str]) -> float:
    from session.config import duration_ms  # noqa: PLC0415 - only needed here

    if given is None:
        return default_s
    try:
        return duration_ms(float(given) if given.isdecimal() else given) / 1000
    except ValueError:
        mistakes.append(f"--ttl: {given!r} given, a duration such as 30s, 5m or 1h allowed")
        return 0.0


def _settings(config: Path | None, flags: Mapping[str, Any]) -> Settings:
    from app.settings import WrongSettings, load  # noqa: PLC0415 - takes time that --help need not

    try:
        return load(config=config, environment=os.environ, flags=flags)
    except WrongSettings as error:
        _refuse(error.lines)


def _refuse(lines: list[str]) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(2)


def _plug_in_clients() -> None:
    """The commands that are a program of their own."""
    from app.dial.command import dial_command  # noqa: PLC0415 - late, so that this file can be read from the top
    from app.example_agent import agent_command  # noqa: PLC0415 - as above
    from app.replay import replay_command  # noqa: PLC0415 - as above
    from app.talk import talk_command  # noqa: PLC0415 - as above

    cli.command("talk")(talk_command)
    cli.command("dial")(dial_command)
    cli.command("agent")(agent_command)
    cli.command("replay")(replay_command)


def main() -> None:
    """The console script."""
    _plug_in_clients()
    cli()


if __name__ == "__main__":
    main()
