"""The ``telephony`` table of the settings: the phone gateways, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from app.gateways.signatures.audiohook import key_bytes
from app.gateways.signatures.telnyx import public_key
from app.gateways.signatures.vonage import application_key
from app.settings.types import TABLE, Name, Seconds

__all__ = (
    "SECRETS",
    "Asterisk",
    "AudioHook",
    "Dtmf",
    "Exotel",
    "FreeSwitch",
    "Jambonz",
    "Plivo",
    "Telephony",
    "Telnyx",
    "Twilio",
    "Vonage",
    "private_key_pem",
    "telephony_contradictions",
)


def _whole(given: object) -> object:
    """The environment has texts only."""
    return int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given


Secret = Annotated[SecretStr, Field(min_length=1)]
Rate = Annotated[Literal[8000, 16000, 24000], BeforeValidator(_whole)]
"""Of the stream's sound, in Hz."""

SECRETS = frozenset(
    {
        "api_key",
        "api_token",
        "auth_token",
        "client_secret",
        "password",
        "private_key",
        "signature_secret",
        "stream_auth_token",
        "webhook_secret",
    }
)
"""Of all gateways: what no message repeats."""


class Dtmf(BaseModel):
    """Keys that are pressed one after another are told to the agent as one."""

    model_config = TABLE

    timeout: Annotated[Seconds, Field(ge=0.2, le=60)] = 2.0
    """From the last key to the telling."""
    terminator: Literal["#", "*", ""] = "#"
    """The key that ends them, and is not told; empty: there is none."""
    max_digits: Annotated[int, Field(ge=1, le=100)] = 32


class Twilio(BaseModel):
    model_config = TABLE

    account_sid: Name | None = None
    auth_token: Secret | None = None
    edge: Name | None = None
    region: Name | None = None


class Telnyx(BaseModel):
    model_config = TABLE

    api_key: Secret | None = None
    connection_id: Name | None = None
    """Of the TeXML application, for calls that start here."""
    public_key: Name | None = None
    """That webhooks are signed with: Ed25519, in base64."""
    stream_auth_token: Secret | None = None
    """What Call Control was told to send with a stream. TeXML cannot: its streams bring a one-shot token."""
    codec: Literal["PCMU", "PCMA", "G722", "L16"] = "PCMU"
    rate: Rate = 8000


class Vonage(BaseModel):
    model_config = TABLE

    application_id: Name | None = None
    private_key: Secret | None = None
    """In PEM; in the environment its lines may be ended by a written \\n."""
    private_key_file: Name | None = None
    signature_secret: Secret | None = None
    """That webhooks and streams are signed with."""
    api_url: Name = "https://api.nexmo.com"
    rate: Rate = 16000


class Plivo(BaseModel):
    model_config = TABLE

    auth_id: Name | None = None
    auth_token: Secret | None = None
    codec: Literal["mulaw", "l16"] = "mulaw"
    rate: Annotated[Literal[8000, 16000], BeforeValidator(_whole)] = 8000


class Exotel(BaseModel):
    model_config = TABLE

    username: Name | None = None
    password: Secret | None = None
    """Of the stream: wss://username:password@…"""
    account_sid: Name | None = None
    api_key: Secret | None = None
    api_token: Secret | None = None
    api_url: Name = "https://api.exotel.com"
    rate: Rate = 8000


class Asterisk(BaseModel):
    model_config = TABLE

    username: Name | None = None
    password: Secret | None = None


class FreeSwitch(BaseModel):
    model_config = TABLE

    username: Name | None = None
    password: Secret | None = None
    rate: Annotated[Literal[8000, 16000], BeforeValidator(_whole)] = 8000
    """Of both directions, as the dialplan starts the stream, which does not tell it."""


class Jambonz(BaseModel):
    model_config = TABLE

    username: Name | None = None
    password: Secret | None = None
    """Of the stream; of webhooks too where no webhook_secret is set."""
    webhook_secret: Secret | None = None
    account_sid: Name | None = None
    api_key: Secret | None = None
    api_url: Name = "https://api.jambonz.cloud"
    rate: Rate = 16000


class AudioHook(BaseModel):
    model_config = TABLE

    api_key: Secret | None = None
    client_secret: Secret | None = None
    """In base64, as Genesys takes it."""


class Telephony(BaseModel):
    model_config = TABLE

    public_url: Name | None = None
    """Where gateways reach this server: https://voice.example.com. Signatures are checked against it."""
    token_ttl: Annotated[Seconds, Field(ge=5, le=3600)] = 300.0
    """From a webhook's answer to the connection of its call."""
    silent_after: Annotated[Seconds, Field(ge=1, le=3600)] = 15.0
    """A gateway that sends nothing for so long is gone."""
    dtmf: Dtmf = Dtmf()
    twilio: Twilio = Twilio()
    telnyx: Telnyx = Telnyx()
    vonage: Vonage = Vonage()
    plivo: Plivo = Plivo()
    exotel: Exotel = Exotel()
    asterisk: Asterisk = Asterisk()
    freeswitch: FreeSwitch = FreeSwitch()
    jambonz: Jambonz = Jambonz()
    audiohook: AudioHook = AudioHook()


_NEEDED_BY = (
    ("twilio", "account_sid", "auth_token"),
    ("telnyx", "connection_id", "api_key"),
    ("vonage", "private_key", "application_id"),
    ("vonage", "private_key_file", "application_id"),
    ("plivo", "auth_id", "auth_token"),
    ("exotel", "username", "password"),
    ("exotel", "password", "username"),
    ("exotel", "account_sid", "api_key"),
    ("exotel", "api_key", "api_token"),
    ("exotel", "api_token", "account_sid"),
    ("asterisk", "username", "password"),
    ("asterisk", "password", "username"),
    ("freeswitch", "username", "password"),
    ("freeswitch", "password", "username"),
    ("jambonz", "username", "password"),
    ("jambonz", "password", "username"),
    ("jambonz", "account_sid", "api_key"),
    ("jambonz", "api_key", "account_sid"),
    ("audiohook", "client_secret", "api_key"),
)
"""Of a gateway: a setting, and what is of no use without it or it without."""

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


def telephony_contradictions(telephony: Telephony) -> Iterator[str]:
    """A line for each value that cannot be, and each pair that does not fit."""
    urls = {"public_url": telephony.public_url}
    urls |= {f"{name}.api_url": getattr(telephony, name).api_url for name in ("vonage", "exotel", "jambonz")}
    for name, url in urls.items():
        if url is not None and not _URL.fullmatch(url):
            yield f"telephony.{name}: {url!r} given, URLs such as https://voice.example.com allowed"
    for gateway, given, needed in _NEEDED_BY:
        table = getattr(telephony, gateway)
        if getattr(table, given) is not None and getattr(table, needed) is None:
            yield f"telephony.{gateway}.{given}: given together with telephony.{gateway}.{needed}, or not at all"
    yield from _wrong_keys(telephony)
    if telephony.plivo.codec == "mulaw" and telephony.plivo.rate != 8000:
        yield f"telephony.plivo.rate: {telephony.plivo.rate} given, 8000 allowed with telephony.plivo.codec mulaw"
    codec, rate = telephony.telnyx.codec, telephony.telnyx.rate
    rates = {"PCMU": (8000,), "PCMA": (8000,), "G722": (8000, 16000), "L16": (8000, 16000, 24000)}[codec]
    if rate not in rates:
        allowed = " or ".join(map(str, rates))
        yield f"telephony.telnyx.rate: {rate} given, {allowed} allowed with telephony.telnyx.codec {codec}"


def _wrong_keys(telephony: Telephony) -> Iterator[str]:
    key = telephony.telnyx.public_key
    if key is not None and not _is_valid(lambda: public_key(key)):
        yield f"telephony.telnyx.public_key: {key!r} given, an Ed25519 key of 32 bytes in base64 allowed"
    secret = telephony.audiohook.client_secret
    if secret is not None and not _is_valid(lambda: key_bytes(secret.get_secret_value())):
        yield "telephony.audiohook.client_secret: *** given, base64 allowed"
    yield from _wrong_private_key(telephony.vonage)


def _wrong_private_key(vonage: Vonage) -> Iterator[str]:
    if vonage.private_key is not None and vonage.private_key_file is not None:
        yield "telephony.vonage.private_key: given together with telephony.vonage.private_key_file, one of them allowed"
        return
    given = "*** given" if vonage.private_key_file is None else f"{vonage.private_key_file} given"
    name = "private_key" if vonage.private_key_file is None else "private_key_file"
    try:
        pem = private_key_pem(vonage)
        if pem is not None:
            application_key(pem)
    except OSError as error:
        yield f"telephony.vonage.{name}: {given}, cannot be read: {error.strerror}"
    except ValueError:
        yield f"telephony.vonage.{name}: {given}, an RSA key in PEM allowed"


def private_key_pem(vonage: Vonage) -> str | None:
    """From wherever it stands.

    :raises OSError: UnicodeDecodeError: the file cannot be read.
    """
    if vonage.private_key_file is not None:
        return Path(vonage.private_key_file).read_text("ascii")
    return None if vonage.private_key is None else vonage.private_key.get_secret_value().replace("\\n", "\n")


def _is_valid(read: Callable[[], object]) -> bool:
    try:
        read()
    except ValueError:
        return False
    return True
