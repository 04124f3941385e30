"""Where settings come from: a TOML file and the environment."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.settings.mistakes import WrongSettings

__all__ = ("CONFIG_VARIABLE", "PREFIX", "merge", "read_environment", "read_toml")

PREFIX = "BELUGA_"
CONFIG_VARIABLE = "BELUGA_CONFIG"
_SERVICE_LINK = re.compile(r"BELUGA_(VOICE_)?(SERVICE_(HOST|PORT\w*)=.*|PORT_\d+_(TCP|UDP)\w*=.*|PORT=\w+://.*)")
"""What Kubernetes puts into every pod beside a Service named ``beluga`` or ``beluga-voice``."""


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise WrongSettings([f"config: {path} given, cannot be read: {reason}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise WrongSettings([f"config: {path} given, not TOML: {error}"]) from None


def read_environment(environment: Mapping[str, str], mistakes: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE or _SERVICE_LINK.fullmatch(f"{name}={value}"):
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        at = found
        for table in tables:
            at = at.setdefault(table, {}) if isinstance(at, dict) else {}
        if not isinstance(at, dict):
            mistakes.append(f"{name}: given together with the whole table as JSON, one of them allowed")
            continue
        at[key] = _read_value(value)
    return found


def _read_value(text: str) -> Any:
    """JSON where it looks like a list or an object; else the text, which the setting's type reads."""
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        # Options belong to one provider: those of another source would be strangers to it.
        if isinstance(below, dict) and isinstance(value, dict) and key != "options":
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged
