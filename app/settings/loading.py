"""All sources, read and validated as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.settings.contradictions import contradictions, unknown_providers
from app.settings.mistakes import WrongSettings, explain
from app.settings.session import read_session
from app.settings.sources import CONFIG_VARIABLE, merge, read_environment, read_toml
from app.settings.tables import AgentPart, Part, Settings, SpeechPart

__all__ = ("load",)


def load(
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Read every source and validate the whole.

    :raises WrongSettings: with every mistake found.
    """
    environment = environment or {}
    mistakes: list[str] = []
    file = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    given = read_toml(file) if file is not None else {}
    given = merge(given, read_environment(environment, mistakes))
    given = merge(given, flags or {})
    settings = _validate(given, mistakes)
    if settings is not None:
        mistakes.extend(contradictions(settings))
    if settings is None or mistakes:
        raise WrongSettings(mistakes)
    return settings


def _validate(given: dict[str, Any], mistakes: list[str]) -> Settings | None:
    tables = {name: value for name, value in given.items() if name != "session"}
    session, wrong = read_session(given.get("session", {}))
    mistakes.extend(wrong)
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    for name, default in defaults.items():
        # A table that is given in part keeps the defaults of this place: stt.options alone means moonshine's.
        if isinstance(tables.get(name), dict) and isinstance(default, Part | SpeechPart | AgentPart):
            tables[name] = {"provider": default.provider} | tables[name]
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        mistakes.extend(explain(error))
        # What stands in other tables is looked at all the same, so that every mistake is told at once.
        refused = {mistake["loc"][0] for mistake in error.errors(include_url=False)}
        rest = Settings.model_validate({name: value for name, value in tables.items() if name not in refused})
        mistakes.extend(unknown_providers(rest))
        return None
    return settings if session is None else settings.model_copy(update={"session": session})
