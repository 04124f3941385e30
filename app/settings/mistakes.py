"""What is wrong with settings, in words: one line for each mistake, without any secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from app.settings.tables import Settings
from app.settings.telephony import SECRETS

__all__ = ("WrongSettings", "explain")


class WrongSettings(Exception):
    """``lines``: one per mistake, without any secret."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


_ALLOWED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "list_type": "a list",
    "dict_type": "a JSON object",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "float_type": "a number",
}


def explain(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors(include_url=False):
        path = ".".join(str(part) for part in mistake["loc"])
        kind, context = mistake["type"], mistake.get("ctx", {})
        if kind == "extra_forbidden":
            yield f"{path}: unknown setting; {_known(mistake['loc'])}"
            continue
        if kind == "literal_error":
            allowed = str(context["expected"]).replace("'", "")
        elif kind in {"greater_than_equal", "less_than_equal"}:
            allowed = _range(mistake["loc"], context)
        elif isinstance(mistake["loc"][-1], int) and kind in {"model_type", "model_attributes_type"}:
            allowed = "a name or a table"
        else:
            allowed = _ALLOWED.get(kind) or str(context.get("error", mistake["msg"]))
        yield f"{path}: {_shown(mistake['loc'], mistake['input'])} given, {allowed} allowed"


def _known(location: tuple[int | str, ...]) -> str:
    return f"known are {', '.join(_table(location).model_fields)}"


def _table(location: tuple[int | str, ...]) -> Any:
    """The table that the setting stands in."""
    table: Any = Settings
    for part in location[:-1]:
        if not isinstance(part, int):
            annotation = table.model_fields[part].annotation
            table = get_args(annotation)[0] if get_args(annotation) else annotation  # of a list, what is in it
    return table


def _range(location: tuple[int | str, ...], context: Mapping[str, Any]) -> str:
    """Both ends, though pydantic names only the one that was passed."""
    limits: dict[str, Any] = {}
    for constraint in _table(location).model_fields[str(location[-1])].metadata:
        for end in ("ge", "le"):
            limits.setdefault(end, getattr(constraint, end, None))
            limits[end] = getattr(constraint, end, None) if limits[end] is None else limits[end]
    least, most = limits.get("ge"), limits.get("le")
    return f"{_number(least)} to {_number(most)}" if least is not None and most is not None else str(dict(context))


def _number(value: float) -> str:
    """As it may be typed in: no 1e+09."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def _shown(location: tuple[int | str, ...], value: object) -> str:
    """What was given, unless it may be a secret."""
    if location[0] == "auth" and location[1] != "allowed_origins":
        return "***"
    if location[-1] in {"secret", "options", "fallback", "turn_secret", "turn_password"} | SECRETS:
        return "***"
    if not isinstance(value, str | int | float):
        return f"a {type(value).__name__}"
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return "***"  # JSON that is none may hold anything
    return repr(value) if isinstance(value, str) else str(value)
