"""What the tables of the settings are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from session.config import duration_ms

__all__ = ("TABLE", "Name", "Seconds")


def _seconds(given: object) -> float:
    if isinstance(given, str) and given.replace(".", "", 1).isdigit():
        given = float(given)
    if not isinstance(given, str | int | float):
        raise ValueError("a duration such as 500ms, 30s or 5m")  # noqa: TRY004 - pydantic collects ValueErrors
    try:
        return duration_ms(given) / 1000
    except (ValueError, OverflowError):
        raise ValueError("a duration such as 500ms, 30s or 5m") from None


Seconds = Annotated[float, BeforeValidator(_seconds)]
Name = Annotated[str, Field(min_length=1)]

TABLE = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
