"""The ``session`` table of the settings, as the session's own configuration: its ranges stand there, and only there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from session.config import SessionConfig
from session.errors import SessionError

__all__ = ("read_session",)

_NOT_SETTINGS = frozenset({"session_id", "auto_start", "scorer"})
"""Fields that no operator sets: the server names and starts every session itself, and code is no value."""


def read_session(given: object) -> tuple[SessionConfig | None, list[str]]:
    """The configuration, or None and a line for each mistake."""
    if not isinstance(given, Mapping):
        return None, [f"session: {given!r} given, a table allowed"]
    mistakes: list[str] = []
    config = _build(SessionConfig, given, "session", mistakes)
    return (None if mistakes else config), mistakes


def _build(kind: Any, given: Mapping[str, Any], path: str, mistakes: list[str]) -> Any:
    """An instance of the dataclass ``kind``, or its default after mistakes."""
    parts = {part.name: part for part in fields(kind) if part.name not in _NOT_SETTINGS}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    before = len(mistakes)
    for name, value in given.items():
        if name not in parts:
            mistakes.append(f"{path}.{name}: unknown setting; known are {', '.join(parts)}")
        elif is_dataclass(hints[name]) and isinstance(value, Mapping):
            values[name] = _build(hints[name], value, f"{path}.{name}", mistakes)
        else:
            values[name] = _read(value)
    mistakes.extend(_wrong(kind, values))
    return kind(**values) if len(mistakes) == before else kind()


def _wrong(kind: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Each field that is wrong whatever the others are; where there is none, the pair that does not fit."""
    together = _refusal(kind, values)
    if together is None:
        return
    found = False
    for name, value in values.items():
        alone = _refusal(kind, {name: value})
        if alone is not None and str(alone["field"]).rpartition(".")[2] == name:
            found = True
            yield _line(alone)
    if not found:
        yield _line(together)


def _refusal(kind: Any, values: Mapping[str, Any]) -> dict[str, object] | None:
    try:
        kind(**values)
    except SessionError as error:
        return error.details
    return None


def _line(details: Mapping[str, object]) -> str:
    given = details["given"]
    return f"session.{details['field']}: {given} given, {details['allowed']} allowed"


def _read(value: Any) -> Any:
    """What a string from the environment stands for: a number, true, false, none; else itself."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str):
        return value
    if value.lower() in {"none", "null"}:
        return None
    try:
        plain = json.loads(value.lower())
    except ValueError:
        return value
    return plain if isinstance(plain, bool | int | float) else value
