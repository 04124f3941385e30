"""The caller's audio on its way in: echo and noise cancellation, voice activity, and to whoever transcribes it.

Each stream is converted to the rate that the next one declares; where the rates are equal nothing is touched.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from providers.api import NoiseFilter, VadStream, VoiceActivity
from providers.audio import BYTES_PER_SAMPLE
from providers.errors import Malformed
from providers.resample import Resampler
from providers.vad.energy import Energy
from session.aio.echo_cancellation import Clean, EchoCancellation, close_stream
from session.aio.loudness import Loudness
from session.aio.noise_cancellation import NoiseCancellation
from session.events import Heard

__all__ = ("Ear",)

PRE_ROLL_MS = 400
"""300 ms before the onset, and the time it takes to be sure that it is one."""

BACKLOG_MS = 2_000
"""Audio that waits to be looked at. Whoever brings more waits with it: nothing is lost, and memory is bounded."""

TURN_RATE_HZ = 16_000

AROUND_A_CUT_MS = 300
"""Of silence, where speech goes on and is cut all the same."""

SPEECH = 0.3
"""Less than this is no speech to anybody."""

KEPT_MS = 30_000
"""Of the utterance so far, for a transcription that starts again and for the turn detector; the oldest goes first."""


class Ear:
    """``push`` takes audio, ``run`` works on it and posts a ``Heard`` for every window.

    ``trouble`` is told of a noise canceller or detector that failed, or cannot be opened, in whatever way; the first is
    bypassed from then on, the second replaced by the energy of the signal: a session that goes deaf would be worse.

    :raises ValueError: for rates that nothing can be converted to; nothing was opened then.
    """

    def __init__(  # noqa: PLR0913 -- one argument for each thing it joins
        self,
        *,
        input_rate_hz: int,
        stt_rate_hz: int,
        vad: VoiceActivity,
        noise: NoiseFilter | None,
        clock_ms: Callable[[], int],
        post: Callable[[Heard], None],
        trouble: Callable[[str, Exception], None],
        echo: EchoCancellation | None = None,
        automatic_gain: bool = False,
    ) -> None:
        self._echo = echo
        self._stt_rate_hz = stt_rate_hz
        noisy_rate_hz = echo.rate_hz if echo else input_rate_hz
        self._clock_ms = clock_ms
        self._post = post
        self._trouble = trouble
        self._backlog_bytes = _bytes(BACKLOG_MS, input_rate_hz)
        self._pre_roll_bytes = _bytes(PRE_ROLL_MS, stt_rate_hz)
        self._kept_bytes = _bytes(KEPT_MS, stt_rate_hz)
        self._around_a_cut = bytes(_bytes(AROUND_A_CUT_MS, stt_rate_hz))
        self._pending = bytearray()
        self._arrived_ms = 0
        self._waiting_for_audio: asyncio.Future[None] | None = None
        self._there_is_room = asyncio.Event()
        self._there_is_room.set()
        self._windows = bytearray()
        self._heard = bytearray()
        self._feed: Callable[[bytes], None] | None = None
        self._loudness = Loudness() if automatic_gain else None
        self._closed = False
        self._noise = NoiseCancellation(noise, input_rate_hz=noisy_rate_hz, trouble=trouble)
        # Of its own for voice activity, from when that is first given something else than whoever transcribes.
        self._voice_noise: NoiseCancellation | None = None
        self._noise_filter, self._noisy_rate_hz = noise, noisy_rate_hz
        self._to_stt = Resampler(self._noise.rate_hz, stt_rate_hz)
        try:
            self._detect_with(vad)
        except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
            trouble("vad", error)
            self._detect_with(Energy())

    def _detect_with(self, vad: VoiceActivity) -> None:
        self._to_vad = Resampler(self._noise.rate_hz, vad.rate_hz)
        self._window_bytes = vad.window_samples * BYTES_PER_SAMPLE
        self._window_ms = vad.window_samples * 1000 // vad.rate_hz
        self._windows.clear()
        self._vad: VadStream = vad.open()

    async def push(self, pcm: bytes) -> None:
        """Take audio of any length; returns at once unless 2 s are waiting. An odd byte waits for the next.

        Whoever waits when the session ends is let go, and their audio is dropped.
        """
        view = memoryview(pcm)
        while view:
            part, view = view[: self._backlog_bytes], view[self._backlog_bytes :]
            await self._there_is_room.wait()
            if self._closed:
                return
            self._pending += part
            self._arrived_ms = self._clock_ms()
            if self._waiting_for_audio is not None and not self._waiting_for_audio.done():
                self._waiting_for_audio.set_result(None)
            if len(self._pending) >= self._backlog_bytes:
                self._there_is_room.clear()

    def cut(self) -> None:
        """What comes next is another stream: half a sample that waits for its other half waits in vain."""
        del self._pending[len(self._pending) & ~1 :]

    def feed_to(self, feed: Callable[[bytes], None], *, again: bool, back_ms: int | None = None) -> None:
        """Hand over the pre-roll, or what was heard in the last ``back_ms`` as far as it is kept, or the whole
        utterance ``again``; and from now on everything, in order."""
        if not again:
            lead_bytes = self._pre_roll_bytes if back_ms is None else _bytes(back_ms, self._stt_rate_hz)
            del self._heard[: max(0, len(self._heard) - lead_bytes)]
        self._feed = feed
        if back_ms is not None:
            feed(self._around_a_cut)
        feed(self._evened(bytes(self._heard), begins=True))

    def cut_off(self) -> None:
        """Whoever is fed hears a little silence and then no more: a word that just breaks off is guessed at. All is
        kept for whoever is fed next."""
        if self._feed is not None:
            self._feed(self._around_a_cut)
            self._feed = _nobody

    def stop_feeding(self) -> None:
        self._feed = None

    def last(self, audio_ms: int) -> bytes:
        """The last so many ms of the utterance, at the 16 kHz that turn detectors take."""
        if not audio_ms:
            return b""
        pcm = bytes(self._heard[-_bytes(audio_ms, self._stt_rate_hz) :])
        return Resampler(self._stt_rate_hz, TURN_RATE_HZ).process(pcm, last=True)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A future and no event: fifty times a second a session, an event's bookkeeping was 5 % of the server.
            self._waiting_for_audio = loop.create_future()
            if len(self._pending) < BYTES_PER_SAMPLE:
                await self._waiting_for_audio
            whole = len(self._pending) & ~1
            pcm, arrived_ms = bytes(self._pending[:whole]), self._arrived_ms
            del self._pending[:whole]
            self._there_is_room.set()
            clean = self._clean(pcm, arrived_ms)
            # A window at a time, however much came at once: where speech begins, what was heard is what led up to it.
            step_bytes = _bytes(self._window_ms, self._noise.rate_hz)
            for at in range(0, max(len(clean.speech), len(clean.voice)), step_bytes):
                part = slice(at, at + step_bytes)
                await self._listen(Clean(clean.speech[part], clean.voice[part]), arrived_ms)

    def close(self) -> None:
        self._closed = True
        self._there_is_room.set()
        self.stop_feeding()
        close_stream(self._vad)
        if self._echo:
            self._echo.close()
        self._noise.close()
        if self._voice_noise:
            self._voice_noise.close()

    def _clean(self, pcm: bytes, arrived_ms: int) -> Clean:
        noisy = self._echo.clean(pcm, arrived_ms) if self._echo else Clean(pcm, pcm)
        speech = self._noise.clean(noisy.speech)
        if noisy.speech == noisy.voice:
            return Clean(speech, speech)
        if self._voice_noise is None:
            noise, rate_hz = self._noise_filter, self._noisy_rate_hz
            self._voice_noise = NoiseCancellation(noise, input_rate_hz=rate_hz, trouble=self._trouble)
        return Clean(speech, self._voice_noise.clean(noisy.voice))

    async def _listen(self, clean: Clean, arrived_ms: int) -> None:
        self._hear(self._to_stt.process(clean.speech))
        self._windows += self._to_vad.process(clean.voice)
        while len(self._windows) >= self._window_bytes:
            window = bytes(self._windows[: self._window_bytes])
            del self._windows[: self._window_bytes]
            echoes = self._echo is not None and self._echo.line_echoes
            probability = await self._detect(window)
            if self._loudness:
                self._loudness.hear(clean.speech, probability)
            self._post(Heard(self._window_ms, probability, arrived_ms, echoes))

    def _hear(self, pcm: bytes) -> None:
        self._heard += pcm
        limit = self._kept_bytes if self._feed else self._pre_roll_bytes
        if len(self._heard) > limit:
            del self._heard[:-limit]
        if self._feed:
            self._feed(self._evened(pcm))

    def _evened(self, pcm: bytes, *, begins: bool = False) -> bytes:
        return self._loudness.even(pcm, begins=begins) if self._loudness and pcm else pcm

    async def _detect(self, window: bytes) -> float:
        try:
            probability = _chance(await self._vad.detect(window))
        except Exception as error:  # noqa: BLE001 -- as above
            self._trouble("vad", error)
            close_stream(self._vad)
            self._detect_with(Energy())
            return 0.0
        if probability >= SPEECH and self._echo is not None and self._echo.is_ours():
            return 0.0
        return probability


def _chance(given: float) -> float:
    """
    :raises Malformed: what a voice activity has answered is none.
    """
    try:
        chance = float(given)
    except (TypeError, ValueError):
        chance = math.nan
    if not 0.0 <= chance <= 1.0:
        raise Malformed(f"answered {given!r}, which is no probability")
    return chance


def _nobody(_: bytes) -> None:
    pass


def _bytes(duration_ms: int, rate_hz: int) -> int:
    return duration_ms * rate_hz // 1000 * BYTES_PER_SAMPLE
