"""``beluga-voice replay``: a recorded call as a timeline, and whether it would take the same course today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from app.conversation import describe_latency
from session.commands import Tell
from session.events import Attached, Detached, DtmfPressed, Event, Failed, InterruptAsked, SayAsked, Typed
from session.notices import (
    AgentActed,
    Ended,
    ErrorOccurred,
    InterruptionJudged,
    Notice,
    ReplyDone,
    ReplyPaused,
    ReplyText,
    StateChanged,
    TranscriptChanged,
    TurnDone,
)
from session.trace import BrokenTrace, Replayed, read, replay, written

__all__ = ("replay_command", "replay_file")


def replay_command(
    file: Annotated[Path, typer.Argument(help="A recording, as the server writes it with log.traces.")],
) -> None:
    """Show a recorded call, and where the engine of today would decide otherwise."""
    try:
        same = replay_file(file, Console())
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not text'}", err=True)
        raise typer.Exit(2) from None
    except BrokenTrace as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if same else 1)


def replay_file(file: Path, console: Console) -> bool:
    """Whether every command is the same as when the call was recorded; shows the call up to the first that is not.

    :raises BrokenTrace: OSError:
    """
    lines = file.read_text("utf-8").splitlines()
    steps = replay(lines)
    began_ms = steps[0].entry.at_ms if steps else 0
    for step in steps:
        for line in _shown(step):
            at_s = (step.entry.at_ms - began_ms) / 1000
            console.print(Text(f"{at_s:9.3f}  ", style="dim") + line, highlight=False, soft_wrap=True)
        if not step.same:
            _show_difference(step, console)
            return False
    if read(lines).cut:
        console.print("the recording reached its limit here; the call went on", style="yellow")
    console.print(f"{len(steps)} events: the same commands as when it was recorded", style="green", highlight=False)
    return True


def _shown(step: Replayed) -> Iterator[Text]:
    if step.entry.event is not None and (line := _of_event(step.entry.event)) is not None:
        yield line
    for command in step.commands:
        if isinstance(command, Tell) and (line := _of_notice(command.notice)) is not None:
            yield line


def _of_event(event: Event) -> Text | None:
    match event:
        case Typed(text):
            return _line("types", text)
        case DtmfPressed(digits):
            return _line("dtmf", digits)
        case SayAsked(text=text):
            return _line("say", text)
        case InterruptAsked():
            return _line("stop", "the client asked for silence")
        case Failed(message=message, retryable=retryable):
            return _line("failed", f"{message} ({'may be retried' if retryable else 'final'})", "yellow")
        case Detached():
            return _line("line", "the connection is lost", "yellow")
        case Attached():
            return _line("line", "the connection is back")
        case _:
            return None


def _of_notice(notice: Notice) -> Text | None:
    match notice:
        case StateChanged(state):
            return _line("", state, "dim")
        case TranscriptChanged(text=text, final=True):
            return _line("user", text, "bold")
        case ReplyText(text=text):
            return _line("agent", text, "cyan")
        case ReplyPaused():
            return _line("", "paused: the user may be breaking in", "dim")
        case InterruptionJudged(committed, stop_ms):
            verdict = "the user broke in" if committed else "the reply goes on"
            return _line("", verdict if stop_ms is None else f"{verdict}; it stopped after {stop_ms} ms", "dim")
        case ReplyDone(heard_text=heard, interrupted=interrupted):
            return _line("heard", f"{heard} (interrupted)" if interrupted else heard)
        case TurnDone(turn_id, outcome, latency):
            times = describe_latency(asdict(latency))
            return _line("turn", f"{turn_id} {outcome}" + (f": {times}" if times else ""), "magenta")
        case ErrorOccurred(code, message):
            return _line("error", f"{message} ({code})", "red")
        case AgentActed(action=action, to=to, digits=digits):
            return _line("agent", f"{action} {to or digits or ''}", "cyan")
        case Ended(reason):
            return _line("ended", reason)
        case _:
            return None


def _line(who: str, what: str, style: str = "") -> Text:
    return Text(f"{who:6} ") + Text(what, style=style)


def _show_difference(step: Replayed, console: Console) -> None:
    entry = step.entry
    console.print(f"line {entry.line}: not the same as when it was recorded", style="red", highlight=False)
    for what, commands, raised in (
        ("event", [written(entry.event)], None),
        ("then", entry.gave, entry.raised),
        ("now", written(step.commands), step.raised),
    ):
        shown = json.dumps(commands, ensure_ascii=False) if raised is None else f"raises {raised}"
        console.print(Text(f"  {what:6} {shown}"), soft_wrap=True, highlight=False)
