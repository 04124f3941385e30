"""A call as it was decided: every event an engine was given, and every command it gave, a line each.

Recorded where a call goes wrong and replayed by a new engine, a call is a test: the same events must give the same
commands. A recording holds what was said, as text, and no audio: it is personal data, so nobody records unasked.

The lines are JSON, in ASCII. The first says how the engine was made; each other one has ``at_ms`` on the session's
clock, the ``event`` (null: time has passed) and, if any, the commands it ``gave`` or the code it ``raised``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from providers.api import Message
from session.commands import Command
from session.config import SessionConfig, duration_ms
from session.engine import Engine
from session.errors import SessionError
from session.events import Event
from session.states import SessionState

__all__ = (
    "FORMAT",
    "MAX_BYTES",
    "BrokenTrace",
    "EngineMade",
    "RecordedEngine",
    "Recorder",
    "Replayed",
    "Trace",
    "TraceEntry",
    "read",
    "replay",
    "written",
)

FORMAT = 1
"""Goes up when lines of before can no longer be read."""

MAX_BYTES = 32 * 2**20
"""Of one recording, some hours of talk; what happens afterwards is not recorded."""

T = TypeVar("T")


class BrokenTrace(Exception):
    """``line`` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


@dataclass(frozen=True, slots=True)
class EngineMade:
    """What an engine is made with."""

    config: SessionConfig
    rate_hz: int
    detects_turns: bool
    has_agent: bool = True
    pings: bool = False

    def make(self) -> Engine:
        return Engine(
            self.config,
            rate_hz=self.rate_hz,
            detects_turns=self.detects_turns,
            has_agent=self.has_agent,
            pings=self.pings,
        )


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """``gave`` and ``raised`` as they were written."""

    line: int
    at_ms: int
    event: Event | None
    gave: list[object]
    raised: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """``cut``: the recording reached its limit; the call went on."""

    made: EngineMade
    entries: tuple[TraceEntry, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the engine of today did with one entry. ``same``: just what was recorded."""

    entry: TraceEntry
    commands: list[Command]
    raised: str | None
    same: bool


# --- recording ----------------------------------------------------------------------------------------------------


class Recorder:
    """Hands ``write`` one line after another, without its end of line. ``write`` must neither block nor raise."""

    def __init__(self, write: Callable[[str], None], made: EngineMade, *, max_bytes: int = MAX_BYTES) -> None:
        self._write = write
        self._left_bytes = max_bytes
        self._put({"trace": FORMAT, "engine": written(made)})

    def happened(self, at_ms: int, event: Event | None, commands: list[Command], raised: str | None = None) -> None:
        if self._left_bytes <= 0:
            return
        line: dict[str, object] = {"at_ms": at_ms, "event": written(event)}
        if commands:
            line["gave"] = written(commands)
        if raised is not None:
            line["raised"] = raised
        self._put(line)

    def _put(self, line: Mapping[str, object]) -> None:
        text = json.dumps(line, separators=(",", ":"))
        self._left_bytes -= len(text) + 1
        self._write(text if self._left_bytes > 0 else '{"cut":true}')


class RecordedEngine:
    """An engine of which all is recorded."""

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder

    @property
    def state(self) -> SessionState:
        return self._engine.state

    @property
    def active(self) -> bool:
        return self._engine.active

    @property
    def history(self) -> tuple[Message, ...]:
        return self._engine.history

    def next_deadline(self) -> int | None:
        return self._engine.next_deadline()

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """:raises SessionError: as the engine's; recorded too."""
        try:
            commands = self._engine.handle(event, now_ms)
        except SessionError as error:
            self._recorder.happened(now_ms, event, [], str(error.code))
            raise
        self._recorder.happened(now_ms, event, commands)
        return commands

    def handle_timeout(self, now_ms: int) -> list[Command]:
        commands = self._engine.handle_timeout(now_ms)
        self._recorder.happened(now_ms, None, commands)
        return commands


def written(value: object) -> object:
    """As JSON has it. What a dataclass ``is`` stands beside its fields, so that two of the same fields are told apart.

    :raises TypeError: for what no event, command or setting is made of.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case tuple() | list():
            return [written(each) for each in value]
        case _ if is_dataclass(value):
            return {"is": type(value).__name__} | {
                part.name: written(getattr(value, part.name)) for part in fields(value)
            }
        case _ if hasattr(value, "total_seconds"):
            return f"{duration_ms(value)}ms"
        case _ if callable(value):
            return f"function {getattr(value, '__qualname__', type(value).__name__)}"
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be recorded")


# --- reading ------------------------------------------------------------------------------------------------------


def read(lines: Iterable[str], *, config: SessionConfig | None = None) -> Trace:
    """``config`` takes the place of the recorded one. It must where that has a scorer of its own, which is a function.

    :raises BrokenTrace:
    """
    made: EngineMade | None = None
    entries: list[TraceEntry] = []
    cut = False
    for number, text in enumerate(lines, 1):
        try:
            line = _object(json.loads(text))
            if made is None:
                made = _header(line, config)
            elif "cut" in line:
                cut = True
            else:
                entries.append(_entry(number, line))
        except ValueError as error:
            raise BrokenTrace(
                number, f"not JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)
            ) from None
        except SessionError as error:
            raise BrokenTrace(number, error.message) from None
    if made is None:
        raise BrokenTrace(1, "the file is empty")
    return Trace(made, tuple(entries), cut)


def replay(lines: Iterable[str], *, config: SessionConfig | None = None) -> list[Replayed]:
    """Give a new engine what was recorded. The first that is not ``same`` is where it decides otherwise today.

    :raises BrokenTrace: ``config`` as in ``read``.
    """
    trace = read(lines, config=config)
    engine = trace.made.make()
    return [_replayed(engine, entry) for entry in trace.entries]


def _replayed(engine: Engine, entry: TraceEntry) -> Replayed:
    commands: list[Command] = []
    raised = None
    try:
        if entry.event is None:
            commands = engine.handle_timeout(entry.at_ms)
        else:
            commands = engine.handle(entry.event, entry.at_ms)
    except SessionError as error:
        raised = str(error.code)
    return Replayed(entry, commands, raised, same=(written(commands), raised) == (entry.gave, entry.raised))


def _header(line: Mapping[str, object], config: SessionConfig | None) -> EngineMade:
    if line.get("trace") != FORMAT:
        raise ValueError(f"a trace of format {FORMAT} begins with its format, not with {str(line)[:40]}")
    engine = _object(line.get("engine"))
    if config is None:
        return _dataclass(EngineMade, engine, "engine")
    made = _dataclass(EngineMade, {**engine, "config": written(SessionConfig())}, "engine")
    return replace(made, config=config)


def _entry(number: int, line: Mapping[str, object]) -> TraceEntry:
    strange = line.keys() - {"at_ms", "event", "gave", "raised"}
    if strange:
        raise ValueError(f"{min(strange)} is nothing that a line has")
    if "event" not in line:
        raise ValueError("there is no event")
    event, gave = line["event"], line.get("gave", [])
    if not isinstance(gave, list):
        raise ValueError(f"gave is {str(gave)[:40]}, not a list")  # noqa: TRY004 -- one kind of mistake for all
    return TraceEntry(
        line=number,
        at_ms=_whole(line.get("at_ms")),
        event=None if event is None else _event(event),
        gave=gave,
        raised=None if line.get("raised") is None else str(line["raised"]),
    )


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"at_ms is {value!r}, not a whole number")
    return value


@cache
def _events() -> dict[str, type[Event]]:
    return {kind.__name__: kind for kind in get_args(Event)}


def _event(value: object) -> Event:
    named = _object(value).get("is")
    kind = _events().get(str(named))
    if kind is None:
        raise ValueError(f"{named!r} is no event")
    return _dataclass(kind, _object(value), kind.__name__)


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:40]!r} is no JSON object")  # noqa: TRY004 -- one kind of mistake for all
    return value


_hints = cache(get_type_hints)


def _dataclass(kind: type[T], value: Mapping[str, object], where: str) -> T:
    any_kind: type = kind  # which mypy knows to be hashable
    hints = _hints(any_kind)
    given = {name: part for name, part in value.items() if name != "is"}
    strange = given.keys() - hints.keys()
    if strange:
        raise ValueError(f"{where} has no {min(strange)}")
    try:
        return kind(**{name: _value(hints[name], part, f"{where}.{name}") for name, part in given.items()})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _value(hint: object, value: object, where: str) -> object:
    """What a field of this type was, when it was written as ``value``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(arguments, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], each, where) for each in value)
    if origin is Literal and value in arguments:
        return value
    if isinstance(hint, type):
        if is_dataclass(hint) and isinstance(value, dict):
            return _dataclass(hint, value, where)
        if issubclass(hint, Enum):
            return hint(value)
        if type(value) is hint or (hint is float and type(value) is int):
            return value
    raise ValueError(f"{where} is {value!r}")


def _one_of(kinds: tuple[object, ...], value: object, where: str) -> object:
    if value is None and NoneType in kinds:
        return None
    for kind in kinds:
        try:
            return _value(kind, value, where)
        except ValueError as error:
            # An object that names its kind has only one way to be wrong.
            if isinstance(value, dict) and getattr(kind, "__name__", None) == value.get("is"):
                raise ValueError(str(error)) from None
    raise ValueError(f"{where} is {value!r}")
