"""Labels of the recordings that come with ``moonshine-voice``: who says what when, and where a pause can be made.

Found without listening: the sentences by voice activity and level, the words before a place by transcribing up to it.
Times are milliseconds of the file. An inner pause is the quietest point between two words of one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.wav import Recording, read_wav

PAUSE_MS = 500
_LEAD_MS = 100
_TAIL_MS = 100
_FRAME_MS = 10

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sentence:
    file: str
    start_ms: int
    end_ms: int
    text: str
    pauses: tuple[tuple[int, str], ...] = ()
    """Where a pause is made, and the word before it. A word with a full stop: what was said so far could be all."""


def _sentences(file: str, *labels: tuple[int, int, str, tuple[tuple[int, str], ...]]) -> tuple[Sentence, ...]:
    return tuple(Sentence(file, *label) for label in labels)


BECKETT = _sentences(
    "beckett.wav",
    (200, 1_250, "Ever tried.", ()),
    (1_800, 2_780, "Ever failed.", ()),
    (3_450, 4_110, "No matter.", ()),
    (4_800, 5_520, "Try again.", ()),
    (6_600, 7_400, "Fail again.", ()),
    (8_150, 8_880, "Fail better.", ()),
)
TWO_CITIES = _sentences(
    "two_cities.wav",
    (1_210, 4_550, "It was the best of times, it was the worst of times.", ((2_140, "of"),)),
    (5_020, 6_180, "It was the age of wisdom.", ((5_730, "of"),)),
    (6_670, 8_190, "It was the age of foolishness.", ((7_370, "of"),)),
    (8_820, 10_290, "It was the epoch of belief.", ((9_600, "epoch"),)),
    (10_770, 12_780, "It was the epoch of incredulity.", ((11_390, "the"),)),
    (13_480, 14_760, "It was the season of light.", ()),
    (15_150, 16_680, "It was the season of darkness.", ((15_960, "of"),)),
    (17_570, 18_720, "It was the spring of hope.", ((18_060, "the"),)),
    (18_980, 20_450, "It was the winter of despair.", ((19_260, "was"),)),
    (21_250, 23_990, "We had everything before us, we had nothing before us.", ((22_640, "us."),)),
    (24_650, 26_020, "We were all going direct to heaven.", ((25_500, "direct."),)),
    (26_560, 28_270, "We were all going direct the other way.", ((27_600, "direct."),)),
    (
        29_110,
        41_630,
        "In short, the period was so far like the present period, that some of its noisiest authorities insisted …",
        ((31_480, "the"), (35_740, "its"), (40_350, "of")),
    ),
)
ENDGAME = _sentences(
    "endgame_nagg_nell.wav",
    (100, 900, "Do you hear me?", ()),
    (1_590, 1_830, "Yes.", ()),
    (2_470, 3_280, "Do you hear me?", ()),
    (3_960, 4_200, "Yes.", ()),
    (4_850, 8_040, "We laugh less heartily, so we have still that resource.", ((6_710, "have"),)),
    (8_740, 11_350, "Laugh less heartily so, we have still that resource.", ((9_970, "so."),)),
    (12_000, 14_000, "No, not heartily, just less heartily.", ((12_960, "heartily."), (13_200, "just"))),
    (14_670, 15_690, "Ah, that's a good story.", ()),
    (15_850, 16_960, "Ah, that's a good story.", ((16_440, "a"),)),
    (17_610, 18_800, "What are you talking about?", ((18_100, "you."),)),
    (20_430, 21_890, "I thought you were in pain.", ((21_270, "were"),)),
    (22_530, 23_110, "Not now.", ()),
    (
        23_770,
        27_390,
        "Do you remember the day I went and fetched you from that ditch?",
        ((24_980, "day."), (26_800, "from")),
    ),
    (28_050, 28_277, "No.", ()),
)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence as it is streamed: its pauses made, quiet where the recording goes on. Times from its beginning."""

    sentence: Sentence
    pcm: bytes
    last_voiced_ms: float
    pauses_ms: tuple[int, ...]
    """Where each of the pauses begins."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Everything that one recording has to say, and the quiet of its room for the time between."""

    rate_hz: int
    utterances: tuple[Utterance, ...]
    room_tone: bytes


def asset(name: str) -> Path:
    found = find_spec("moonshine_voice")
    if found is None or found.origin is None:
        raise SystemExit("the recordings come with the extra: pip install 'beluga-voice[moonshine]'")
    return Path(found.origin).parent / "assets" / name


def caller(sentences: tuple[Sentence, ...]) -> Caller:
    recording = read_wav(asset(sentences[0].file))
    tone = _room_tone(recording)
    return Caller(recording.rate_hz, tuple(_utterance(recording, each, tone) for each in sentences), tone.tobytes())


def _utterance(recording: Recording, sentence: Sentence, tone: Samples) -> Utterance:
    samples = np.frombuffer(recording.pcm, np.int16)
    rate_hz = recording.rate_hz
    begin_ms = max(0, sentence.start_ms - _LEAD_MS)

    def part(from_ms: int, to_ms: int) -> Samples:
        return samples[from_ms * rate_hz // 1000 : to_ms * rate_hz // 1000]

    voiced = _voiced(part(begin_ms, sentence.end_ms), rate_hz)
    pieces, pauses_ms, from_ms, length_ms = [], [], begin_ms, 0
    for at_ms, _ in sentence.pauses:
        gap_from_ms, gap_ms = _gap_at(voiced, at_ms - begin_ms)
        more_ms = max(0, PAUSE_MS - gap_ms)
        pieces += [part(from_ms, at_ms), tone[: more_ms * rate_hz // 1000]]
        pauses_ms.append(gap_from_ms + length_ms)
        from_ms, length_ms = at_ms, length_ms + more_ms
    pieces.append(part(from_ms, sentence.end_ms + _TAIL_MS))
    last_voiced_ms = (int(np.flatnonzero(voiced)[-1]) + 1) * _FRAME_MS + length_ms
    return Utterance(sentence, np.concatenate(pieces).tobytes(), last_voiced_ms, tuple(pauses_ms))


def _gap_at(voiced: NDArray[np.bool_], at_ms: int) -> tuple[int, int]:
    """Where the quiet around a place begins, and how long it lasts already."""
    at = at_ms // _FRAME_MS
    before = np.flatnonzero(voiced[:at])
    after = np.flatnonzero(voiced[at:])
    begin = int(before[-1]) + 1 if before.size else 0
    end = at + int(after[0]) if after.size else len(voiced)
    return begin * _FRAME_MS, (end - begin) * _FRAME_MS


def _levels_db(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    frame = rate_hz * _FRAME_MS // 1000
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    levels: NDArray[np.float64] = 10 * np.log10((whole**2).mean(axis=1) + 1e-3)
    return levels


def _voiced(samples: Samples, rate_hz: int) -> NDArray[np.bool_]:
    """Which 10 ms of a sentence are no more than 25 dB below its loud parts."""
    levels = _levels_db(samples, rate_hz)
    return levels > np.percentile(levels, 95) - 25


def _room_tone(recording: Recording) -> Samples:
    """A second of quiet: the quietest 200 ms of the recording, forwards and backwards by turns, so without a click."""
    samples = np.frombuffer(recording.pcm, np.int16)
    levels = _levels_db(samples, recording.rate_hz)
    frames = 200 // _FRAME_MS
    loudest = np.lib.stride_tricks.sliding_window_view(levels, frames).max(axis=1)
    begin = int(np.argmin(loudest)) * recording.rate_hz * _FRAME_MS // 1000
    piece = samples[begin : begin + recording.rate_hz // 5]
    return np.concatenate([piece, piece[::-1], piece, piece[::-1], piece])
