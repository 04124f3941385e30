"""``beluga-voice dial``: the gateway's side of a phone call, for trying a setup without a phone line."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from websockets.exceptions import InvalidURI

from app.dial.call import DialError, Dialled, dial
from app.dial.credentials import KINDS
from app.dial.phone import Happened, Phone
from app.wav import Recording, WavError, read_wav, write_wav
from app.wire.phone.envelope import DIGITS
from app.wire.phone.far.catalogue import GATEWAYS

__all__ = ("dial_command",)

_WORDS = {
    "started": "the call begins",
    "mark": "heard up to mark",
    "clear": "cleared: what was buffered is dropped",
    "pause": "paused",
    "continue": "goes on",
    "digits": "the server presses",
    "hang_up": "the server hangs up",
    "closed": "closed:",
}


def dial_command(  # noqa: PLR0913  # the options of a command line
    *,
    file: Annotated[Path, typer.Argument(help="A WAV of any rate: what the caller says after the greeting.")],
    gateway: Annotated[str, typer.Option(help=f"One of {', '.join(GATEWAYS)}.")] = "twilio",
    url: Annotated[
        str | None,
        typer.Option(help="The server's socket for it; ws://127.0.0.1:8080/v1/telephony/GATEWAY unless set."),
    ] = None,
    digits: Annotated[str, typer.Option(help="Keys that are pressed after the greeting, before the file.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write what the caller heard, on the time of the call, as WAV.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE that the gateway gives along; may be given several times.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="What the gateway proves itself with: " + "; ".join(f"{k}: {v}" for k, v in KINDS.items())),
    ] = None,
    token: Annotated[str | None, typer.Option(help="API key or client token, where the gateway signs nothing.")] = None,
    delay: Annotated[int, typer.Option(help="How long the gateway buffers before it plays, in ms.")] = 60,
    wait: Annotated[float, typer.Option(help="The longest to wait for an answer, in seconds.")] = 15.0,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Call a server as a phone gateway does: a recording speaks, marks and clears are obeyed."""
    if gateway not in GATEWAYS:
        raise _fail(f"--gateway: {gateway!r} given, {', '.join(GATEWAYS)} allowed", 2)
    if not set(digits) <= DIGITS:
        raise _fail(f"--digits: {digits!r} given, 0 to 9, *, # and A to D allowed", 2)
    for each in parameter or []:
        if "=" not in each:
            raise _fail(f"--parameter: {each!r} given, KEY=VALUE allowed", 2)
    parameters = dict(each.split("=", 1) for each in parameter or [])
    url = url or f"ws://127.0.0.1:8080/v1/telephony/{gateway}"
    dialled = Dialled(gateway, url, secret, token, parameters, delay_ms=delay, wait_ms=round(wait * 1000))
    try:
        recording = read_wav(file)
        phone = asyncio.run(_dial(dialled, recording, digits, _show_json if json_lines else _show))
        if out:
            write_wav(out, Recording(bytes(phone.heard), phone.call.output.rate_hz))
    except (WavError, InvalidURI) as error:
        raise _fail(str(error), 2) from None
    except DialError as error:
        raise _fail(str(error), 1) from None
    if out and not json_lines:
        typer.echo(f"wrote {out}")
    if not phone.was_fine:
        raise _fail(f"the call ended with close code {phone.of('closed')[-1].detail}", 1)


async def _dial(dialled: Dialled, recording: Recording, digits: str, tell: Callable[[Happened], None]) -> Phone:
    stopping = asyncio.Event()
    with suppress(NotImplementedError):  # on Windows Ctrl-C simply ends the program
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopping.set)
    return await dial(dialled, recording, digits, tell, stopping)


def _show(happened: Happened) -> None:
    words = f"{_WORDS[happened.what]} {happened.detail}".strip()
    typer.echo(f"{happened.at_ms / 1000:7.2f} s  {words}")


def _show_json(happened: Happened) -> None:
    typer.echo(json.dumps({"at_ms": happened.at_ms, "type": happened.what, "detail": happened.detail}))


def _fail(message: str, code: int) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)
