"""Reading JSON messages: what is there, what it is, and an error that names the place if it is something else.

No error repeats what was sent: it may be a caller's number, or a secret.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Mapping
from typing import NoReturn, TypeVar

from app.wire.phone.api import Message, WireError

__all__ = ("MAX_MESSAGE_CHARACTERS", "Fields", "json_object", "text_of")

MAX_MESSAGE_CHARACTERS = 1 << 20
RATES_HZ = (8000, 12_000, 16_000, 24_000, 32_000, 48_000, 64_000)
DIGITS = frozenset("0123456789*#ABCD")

Json = Mapping[str, object]
Value = TypeVar("Value")


def text_of(message: Message) -> str:
    """
    :raises WireError: if it is binary, or longer than any gateway's message.
    """
    if isinstance(message, bytes):
        raise WireError("binary: expected text")
    if len(message) > MAX_MESSAGE_CHARACTERS:
        raise WireError(f"longer than {MAX_MESSAGE_CHARACTERS} characters")
    return message


def json_object(message: Message) -> Fields:
    """
    :raises WireError: if it is not text, not JSON, or not an object.
    """
    try:
        values = json.loads(text_of(message))
    except WireError:
        raise
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    if not isinstance(values, dict):
        raise WireError("not an object")
    return Fields(values)


class Fields:
    """A JSON object, and where in its message it stands. Null is the same as not there.

    Every method but ``in`` raises ``WireError`` if the field is missing or is something else.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, values: Json, path: str = "") -> None:
        self._values = values
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            self._expected(name, "text")
        if not value.isascii() and not _is_unicode(value):
            self._expected(name, "Unicode")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self else None

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number from 0 on; some gateways write it as text."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and len(value) < 16 and value.isascii() and value.isdigit():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**15:
            self._expected(name, "a whole number")
        return value

    def rate_hz(self, name: str, default: int | None = None) -> int:
        value = self.whole(name, default)
        if value not in RATES_HZ:
            self._expected(name, "one of " + ", ".join(map(str, RATES_HZ)))
        return value

    def one_of(self, name: str, values: Mapping[str, Value], default: str | None = None) -> Value:
        """What the field's text stands for; capitals or not is the same."""
        value = self.text(name, default).lower()
        if value not in values:
            self._expected(name, "one of " + ", ".join(values))
        return values[value]

    def digit(self, name: str) -> str:
        """A key of a telephone."""
        value = self.text(name).upper()
        if value not in DIGITS:
            self._expected(name, "one of 0 to 9, *, #, A to D")
        return value

    def base64(self, name: str) -> bytes:
        try:
            return a2b_base64(self.text(name), strict_mode=True)
        except WireError:
            raise
        except ValueError:
            self._expected(name, "base64")

    def object(self, name: str) -> Fields:
        value = self._values.get(name)
        if not isinstance(value, dict):
            self._expected(name, "an object")
        return Fields(value, f"{self._path}{name}.")

    def objects(self, name: str) -> list[Fields]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self._expected(name, "a list of objects")
        return [Fields(each, f"{self._path}{name}.{at}.") for at, each in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self._expected(name, "a list of texts")
        return value

    def as_it_was(self) -> Json:
        return self._values

    def parameters(self, name: str) -> dict[str, str]:
        """What a gateway's user gave along; empty if nothing."""
        return self.object(name).rest() if name in self else {}

    def rest(self, *known: str) -> dict[str, str]:
        """All fields but the ``known`` ones, as text; what is no text stays as JSON."""
        return {
            _clean(name): _clean(value) if isinstance(value, str) else json.dumps(value)
            for name, value in self._values.items()
            if name not in known
        }

    def fail(self, name: str, what: str) -> NoReturn:
        raise WireError(f"{self._path}{name}: {what}")

    def _expected(self, name: str, what: str) -> NoReturn:
        self.fail(name, f"expected {what}" if self._values.get(name) is not None else "is missing")


def _is_unicode(text: str) -> bool:
    """Whether it can be written in UTF-8: JSON can hold half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()
