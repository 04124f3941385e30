"""The tables that an operator can set, with their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from app.settings.telephony import Telephony
from app.settings.types import TABLE, Name, Seconds
from providers.registry import Kind
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
    "in_order",
)


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


def in_order(settings: Settings, kind: Kind) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The first choice and its fallbacks: the path of its settings, its name, and what it is made with."""
    first: Part | SpeechPart | AgentPart = getattr(settings, kind)
    chosen: list[Part | SpeechPart | AgentChoice] = [first, *([] if isinstance(first, Part) else first.fallback)]
    for at, part in enumerate(chosen):
        path = f"{kind}.fallback.{at - 1}" if at else kind
        yield path, part.provider, part.all_options() if isinstance(part, AgentChoice) else part.options
