"""The providers of a server: made from its settings, loaded once, shared by all sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import structlog

import providers
from app.settings import Settings, WrongSettings, in_order
from providers.api import Agent, EchoCanceller, NoiseFilter, SpeechToText, TextToSpeech, TurnDetector, VoiceActivity
from providers.errors import ProviderError, Rejected
from providers.phrase_cache import PhraseCache
from providers.registry import KINDS, Kind
from session import AgentInOrder, SpeechToTextInOrder, TextToSpeechInOrder
from session.aio.attempts import PATIENCE_MS
from session.aio.chunked_speech_to_text import as_speech_to_text
from session.breaker import Breaker
from session.segments import Segmenter

__all__ = ("Choice", "Parts", "build", "choices", "warm_up")

Part = SpeechToText | TextToSpeech | VoiceActivity | EchoCanceller | NoiseFilter | TurnDetector | Agent

_RETRY_AFTER_S = (1.0, 2.0, 5.0, 10.0, 30.0)

_HINT = "beluga-voice check tells more"

logger = structlog.get_logger("beluga.parts")


@dataclass(frozen=True, slots=True)
class Choice:
    """One configured provider. ``path``: of its settings, ``stt`` or ``stt.fallback.0``."""

    kind: Kind
    path: str
    name: str
    options: dict[str, Any]

    def make(self) -> Any:
        """
        :raises Rejected:
        """
        return providers.create(self.kind, self.name, **self.options)

    def explain(self, error: ProviderError) -> list[str]:
        """A line for each mistake, with the path of the setting where an option is wrong."""
        return [self._at_setting(line) for line in str(error).splitlines()]

    def _at_setting(self, line: str) -> str:
        option = line.removeprefix(f"{self.kind}.{self.name}.")
        if option == line:
            return f"{self.path}: {line}"
        has_a_place_of_its_own = self.kind == "agent" and option.startswith(("url:", "secret:"))
        return f"{self.path}.{option}" if has_a_place_of_its_own else f"{self.path}.options.{option}"


@dataclass(frozen=True, slots=True)
class Parts:
    stt: SpeechToTextInOrder
    tts: TextToSpeech
    """What sessions speak with: ``voices``, and a memory in front of them where one is set."""
    voices: TextToSpeechInOrder
    vad: VoiceActivity
    echo: EchoCanceller | None
    noise: NoiseFilter | None
    turn: TurnDetector
    agent: AgentInOrder

    def all(self) -> Iterator[Part]:
        yield from (self.stt, self.tts, self.vad, self.turn, self.agent)
        for part in (self.echo, self.noise):
            if part is not None:
                yield part

    def breakers(self) -> Iterator[tuple[Kind, str, Breaker]]:
        """With the kind and the name of the provider that each is of."""
        in_order: tuple[tuple[Kind, SpeechToTextInOrder | TextToSpeechInOrder | AgentInOrder], ...] = (
            ("stt", self.stt),
            ("tts", self.voices),
            ("agent", self.agent),
        )
        for kind, several in in_order:
            for name, breaker in several.breakers:
                yield kind, name, breaker

    async def aclose(self) -> None:
        for part in self.all():
            try:
                await part.aclose()
            except ProviderError as error:
                logger.warning("provider did not close", provider=part.name, error=str(error))


def choices(settings: Settings) -> tuple[Choice, ...]:
    """Everything that is configured, fallbacks included."""
    return tuple(
        Choice(kind, path, name, options) for kind in KINDS for path, name, options in in_order(settings, kind)
    )


def build(settings: Settings) -> Parts:
    """Make every provider; nothing is loaded yet.

    :raises WrongSettings: when a name, an option or a package is wrong, each on its line.
    """
    made: dict[Kind, list[Any]] = {}
    mistakes: list[str] = []
    for choice in choices(settings):
        try:
            provider = choice.make()
        except Rejected as error:
            mistakes.extend(choice.explain(error))
        else:
            made.setdefault(choice.kind, []).append(provider)
    if mistakes:
        raise WrongSettings(mistakes)
    rules = settings.session
    voices, agents = made.pop("tts"), made.pop("agent")
    ears = [as_speech_to_text(ear, rules.chunking) for ear in made.pop("stt")]
    voice = TextToSpeechInOrder(voices, patience_ms=min(PATIENCE_MS, _share_ms(rules.tts_timeout_ms, voices)))
    return Parts(
        stt=SpeechToTextInOrder(ears, patience_ms=min(PATIENCE_MS, _share_ms(rules.stt_timeout_ms, ears))),
        tts=_remembering(voice, settings),
        voices=voice,
        agent=AgentInOrder(agents, patience_ms=_share_ms(rules.agent_timeout_ms, agents)),  # it may have to think
        **{kind: provider for kind, (provider,) in made.items()},
    )


def _remembering(voice: TextToSpeechInOrder, settings: Settings) -> TextToSpeech:
    """With the apology, in the pieces that a session says it in: it is there when the voice itself is what broke."""
    if not settings.tts.cache_bytes:
        return voice
    segmenter = Segmenter()
    apology = [*segmenter.push(settings.session.apology), *segmenter.flush()]
    return PhraseCache(voice, settings.tts.cache_bytes, always=apology)


def _share_ms(timeout_ms: int, several: Sequence[object]) -> int:
    """Of the time that the session gives them together, so that the last can still be asked within it."""
    return timeout_ms // max(2, len(several))


async def warm_up(parts: Parts) -> None:
    """Load what the providers need, one after another: they share the processor. What fails is tried again."""
    for part in parts.all():
        for pause_s in chain(_RETRY_AFTER_S, repeat(_RETRY_AFTER_S[-1])):
            try:
                await part.warm_up()
                break
            except ProviderError as error:
                reason = str(error)
            logger.error("provider not ready", provider=part.name, reason=reason, again_in_s=pause_s, hint=_HINT)
            await asyncio.sleep(pause_s)
