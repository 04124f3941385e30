"""Everything an operator can set: defaults, then a TOML file, then the environment, then flags; later wins.

The environment names a setting by its path, as ``BELUGA_STT__PROVIDER``; a value that looks like JSON is read as JSON.
Every mistake is one line, ``session.timeout: 5s given, 1m to 24h allowed``, and all of them are reported at once.
"""

from __future__ import annotations

import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from app.session_settings import read_session
from app.setting_types import TABLE, Name, Seconds
from app.telephony_settings import SECRETS, Telephony, telephony_contradictions
from app.transports.ice.servers import parse_server_url
from providers.registry import KINDS, Kind, names
from session.config import SessionConfig

__all__ = (
    "AgentChoice",
    "AgentPart",
    "Auth",
    "Limits",
    "Log",
    "Part",
    "Server",
    "Settings",
    "SpeechPart",
    "VoicePart",
    "WebRtc",
    "WrongSettings",
    "in_order",
    "load",
)

PREFIX = "BELUGA_"
CONFIG_VARIABLE = "BELUGA_CONFIG"
_SERVICE_LINK = re.compile(r"BELUGA_(VOICE_)?(SERVICE_(HOST|PORT\w*)=.*|PORT_\d+_(TCP|UDP)\w*=.*|PORT=\w+://.*)")
"""What Kubernetes puts into every pod beside a Service named ``beluga`` or ``beluga-voice``."""


class WrongSettings(Exception):
    """``lines``: one per mistake, without any secret."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _list(given: object) -> object:
    """``a,b`` for those who write no JSON into their environment."""
    return [item.strip() for item in given.split(",") if item.strip()] if isinstance(given, str) else given


def _parts(given: object) -> object:
    """A name is short for a table that has nothing else; names may also come as ``a,b``."""
    if isinstance(given, str) and given.lstrip()[:1] in {"[", "{"}:
        raise ValueError("a list of names and tables in JSON")  # it would be one, were it right
    each = _list(given)
    return [{"provider": part} if isinstance(part, str) else part for part in each] if isinstance(each, list) else each


class Server(BaseModel):
    model_config = TABLE

    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    insecure: bool = False
    """Serve beyond loopback although there is no credential."""
    shutdown_grace: Annotated[Seconds, Field(ge=0, le=3600)] = 10.0
    """How long calls may go on after SIGTERM."""


class Part(BaseModel):
    model_config = TABLE

    provider: Name
    options: dict[str, Any] = {}


class SpeechPart(BaseModel):
    """``fallback``: further providers, tried in order."""

    model_config = TABLE

    provider: Name
    options: dict[str, Any] = {}
    fallback: Annotated[list[Part], BeforeValidator(_parts)] = []


class VoicePart(SpeechPart):
    """``cache_bytes``: of audio, for phrases that are said again and again; 0 remembers none."""

    cache_bytes: Annotated[int, Field(ge=0, le=1_000_000_000)] = 2**24


class AgentChoice(BaseModel):
    model_config = TABLE

    provider: Name
    options: dict[str, Any] = {}
    url: Name | None = None
    secret: SecretStr | None = None

    def all_options(self) -> dict[str, Any]:
        """What the provider is made with: ``url`` and ``secret`` are options that have a place of their own."""
        secret = None if self.secret is None else self.secret.get_secret_value()
        given = {"url": self.url, "secret": secret}
        return self.options | {name: value for name, value in given.items() if value is not None}


class AgentPart(AgentChoice):
    provider: Name = "demo"
    fallback: Annotated[list[AgentChoice], BeforeValidator(_parts)] = []


class Limits(BaseModel):
    model_config = TABLE

    max_sessions: Annotated[int, Field(ge=1, le=100_000)] = 100
    starts_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    """New sessions of one caller: of one credential, or of one address where there is none."""
    messages_per_second: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Text messages of one connection, on average over ten seconds."""
    start_within: Annotated[Seconds, Field(ge=0.1, le=300)] = 10.0
    """From the opening of a socket to its first message."""
    connect_within: Annotated[Seconds, Field(ge=1, le=3600)] = 60.0
    """From ``POST /v1/sessions`` to the connection."""
    stalled_after: Annotated[Seconds, Field(ge=0.1, le=300)] = 10.0
    """A client that takes nothing for so long is cut off."""


class Auth(BaseModel):
    model_config = TABLE

    api_keys: Annotated[list[SecretStr], BeforeValidator(_list)] = []
    jwt_secret: SecretStr | None = None
    allowed_origins: Annotated[list[Name], BeforeValidator(_list)] = []

    @property
    def configured(self) -> bool:
        return bool(self.api_keys) or self.jwt_secret is not None


class Log(BaseModel):
    model_config = TABLE

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """``auto``: console on a terminal, JSON elsewhere."""
    transcripts: bool = False
    """Whether log lines may hold what was said."""
    traces: Name | None = None
    """A folder for recordings of calls, which hold what was said."""


def _pairs(given: object) -> object:
    """``10.0.0.5=203.0.113.7`` for those who write no JSON into their environment."""
    if isinstance(given, str) and given.lstrip()[:1] != "{":
        pairs = [item.partition("=") for item in given.split(",") if item.strip()]
        return {local.strip(): public.strip() for local, _, public in pairs}
    return given


MaybePort = Annotated[int | None, Field(ge=1, le=65535)]


class WebRtc(BaseModel):
    model_config = TABLE

    enabled: bool = True
    addresses: Annotated[list[Name], BeforeValidator(_list)] = []
    """Of this host, to gather on; empty means all."""
    advertised: Annotated[dict[str, Name], BeforeValidator(_pairs)] = {}
    """What clients are told instead of a local address, behind a 1:1 NAT."""
    port_min: MaybePort = None
    port_max: MaybePort = None
    """The UDP ports that sessions may take, one each."""
    shared_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """One UDP port for all sessions instead; 0 takes a free one."""
    stun: Annotated[list[Name], BeforeValidator(_list)] = []
    turn: Annotated[list[Name], BeforeValidator(_list)] = []
    turn_secret: SecretStr | None = None
    """coturn's ``static-auth-secret``: every session gets credentials of its own."""
    turn_username: Name | None = None
    turn_password: SecretStr | None = None
    """The same for everybody, where there is no such secret."""
    credential_ttl: Annotated[Seconds, Field(ge=60, le=604_800)] = 86_400.0
    relay_only: bool = False
    connect_timeout: Annotated[Seconds, Field(ge=1, le=120)] = 15.0
    """From the answer to a path between the two."""
    peer_timeout: Annotated[Seconds, Field(ge=1, le=30)] = 4.0
    """A peer that answers no check for so long is gone."""
    bits_per_s: Annotated[int, Field(ge=6_000, le=128_000)] = 32_000
    complexity: Annotated[int, Field(ge=0, le=10)] = 5
    """Of the Opus encoder."""
    echo_cancellation: bool = False
    """Whether ``echo`` is for these callers too: browsers cancel the echo themselves."""


class Settings(BaseModel):
    model_config = TABLE | ConfigDict(arbitrary_types_allowed=True)

    server: Server = Server()
    stt: SpeechPart = SpeechPart(provider="moonshine")
    tts: VoicePart = VoicePart(provider="piper")
    vad: Part = Part(provider="silero")
    echo: Part = Part(provider="aec3")
    noise: Part = Part(provider="webrtc")
    turn: Part = Part(provider="transcript")
    agent: AgentPart = AgentPart()
    session: SessionConfig = SessionConfig()
    limits: Limits = Limits()
    auth: Auth = Auth()
    log: Log = Log()
    webrtc: WebRtc = WebRtc()
    telephony: Telephony = Telephony()


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
    given = _read_toml(file) if file is not None else {}
    given = _merge(given, _read_environment(environment, mistakes))
    given = _merge(given, flags or {})
    settings = _validate(given, mistakes)
    if settings is not None:
        mistakes.extend(_contradictions(settings))
    if settings is None or mistakes:
        raise WrongSettings(mistakes)
    return settings


# --- sources ----------------------------------------------------------------------------------------------------


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise WrongSettings([f"config: {path} given, cannot be read: {reason}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise WrongSettings([f"config: {path} given, not TOML: {error}"]) from None


def _read_environment(environment: Mapping[str, str], mistakes: list[str]) -> dict[str, Any]:
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


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        # Options belong to one provider: those of another source would be strangers to it.
        if isinstance(below, dict) and isinstance(value, dict) and key != "options":
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


# --- validation -------------------------------------------------------------------------------------------------


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
        mistakes.extend(_explain(error))
        # What stands in other tables is looked at all the same, so that every mistake is told at once.
        refused = {mistake["loc"][0] for mistake in error.errors(include_url=False)}
        rest = Settings.model_validate({name: value for name, value in tables.items() if name not in refused})
        mistakes.extend(_unknown_providers(rest))
        return None
    return settings if session is None else settings.model_copy(update={"session": session})


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


def _explain(error: ValidationError) -> Iterator[str]:
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


# --- what fits together -----------------------------------------------------------------------------------------


def _contradictions(settings: Settings) -> Iterator[str]:
    yield from _unknown_providers(settings)
    yield from _weak_credentials(settings.auth)
    yield from _webrtc_contradictions(settings.webrtc)
    yield from telephony_contradictions(settings.telephony)
    fallback = ((f"agent.fallback.{at}", agent) for at, agent in enumerate(settings.agent.fallback))
    for path, agent in (("agent", settings.agent), *fallback):
        for name in ("url", "secret"):
            if getattr(agent, name) is not None and agent.provider in {"demo", "echo"}:
                yield f"{path}.{name}: given, but {path}.provider is {agent.provider}, which calls nobody"
            if getattr(agent, name) is not None and name in agent.options:
                yield f"{path}.options.{name}: given twice, {path}.{name} alone allowed"
    server = settings.server
    if not (settings.auth.configured or server.insecure or is_loopback(server.host)):
        yield (
            f"server.host: {server.host!r} given, loopback allowed while neither auth.api_keys nor auth.jwt_secret is "
            "set (--insecure serves everybody)"
        )


def _unknown_providers(settings: Settings) -> Iterator[str]:
    for kind in KINDS:
        known = names(kind)
        before: list[tuple[str, dict[str, Any]]] = []
        for path, name, options in in_order(settings, kind):
            if name not in known:
                yield f"{path}.provider: {name!r} given, {', '.join(known)} allowed"
            if (name, options) in before:
                yield f"{path}: {name!r} given, with the same options once allowed"
            before.append((name, options))


def in_order(settings: Settings, kind: Kind) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The first choice and its fallbacks: the path of its settings, its name, and what it is made with."""
    first: Part | SpeechPart | AgentPart = getattr(settings, kind)
    chosen: list[Part | SpeechPart | AgentChoice] = [first, *([] if isinstance(first, Part) else first.fallback)]
    for at, part in enumerate(chosen):
        path = f"{kind}.fallback.{at - 1}" if at else kind
        yield path, part.provider, part.all_options() if isinstance(part, AgentChoice) else part.options


def _weak_credentials(auth: Auth) -> Iterator[str]:
    if any(len(key.get_secret_value()) < 8 for key in auth.api_keys):
        yield "auth.api_keys: *** given, keys of at least 8 characters allowed"
    # RFC 7518 § 3.2: a key for HS256 has at least the size of the hash.
    if auth.jwt_secret is not None and len(auth.jwt_secret.get_secret_value().encode()) < 32:
        yield "auth.jwt_secret: *** given, at least 32 bytes allowed"
    for origin in auth.allowed_origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            yield f"auth.allowed_origins: {origin!r} given, origins such as https://example.com allowed"


def _webrtc_contradictions(webrtc: WebRtc) -> Iterator[str]:
    yield from _wrong_addresses(webrtc)
    if (webrtc.port_min is None) != (webrtc.port_max is None):
        yield "webrtc.port_min: given together with webrtc.port_max, or neither of them"
    elif webrtc.port_min is not None and webrtc.port_max is not None:
        if webrtc.port_min > webrtc.port_max:
            yield f"webrtc.port_min: {webrtc.port_min} given, at most webrtc.port_max ({webrtc.port_max}) allowed"
        if webrtc.shared_port is not None:
            yield "webrtc.shared_port: given together with webrtc.port_min and port_max, one way allowed"
    for name in ("stun", "turn"):
        for url in getattr(webrtc, name):
            try:
                fits = parse_server_url(url).scheme.startswith(name)
            except ValueError:
                fits = False
            if not fits:
                yield f"webrtc.{name}: {url!r} given, URLs such as {name}:{name}.example.com:3478 allowed"
    if (webrtc.turn_username is None) != (webrtc.turn_password is None):
        yield "webrtc.turn_username: given together with webrtc.turn_password, or neither of them"
    if webrtc.turn_secret is not None and webrtc.turn_password is not None:
        yield "webrtc.turn_secret: given together with webrtc.turn_password, one of them allowed"
    has_credentials = webrtc.turn_secret is not None or webrtc.turn_password is not None
    if bool(webrtc.turn) != has_credentials:
        yield "webrtc.turn: given together with webrtc.turn_secret, or with webrtc.turn_username and turn_password"
    if webrtc.relay_only and not webrtc.turn:
        yield "webrtc.relay_only: true given, false allowed while webrtc.turn names no server"


def _wrong_addresses(webrtc: WebRtc) -> Iterator[str]:
    named = [("addresses", address) for address in webrtc.addresses]
    named += [("advertised", address) for pair in webrtc.advertised.items() for address in pair]
    for name, text in named:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            yield f"webrtc.{name}: {text!r} given, IP addresses allowed"
            continue
        if address.is_unspecified or address.is_link_local:
            yield f"webrtc.{name}: {text!r} given, addresses of one interface and not link-local allowed"
    for local, public in webrtc.advertised.items():
        if webrtc.addresses and local not in webrtc.addresses:
            yield f"webrtc.advertised: {local!r} given, one of webrtc.addresses allowed"
        if (":" in local) != (":" in public):
            yield f"webrtc.advertised: {local}={public} given, addresses of one IP version allowed"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
