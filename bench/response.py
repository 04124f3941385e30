"""How soon the server answers, and how often it cuts a speaker off: embedded models, echo agent, recorded speech.

Three callers, one after another, stream the sentences of ``recordings.py`` in real time over the audio WebSocket. After
each the caller is silent until the answer is heard, breaks it off, and goes on with the next. The response time is
taken outside: from the last voiced sample sent (known from the recording) to the first frame of audio received. A
pause of 500 ms inside a sentence counts as a wrong cut-off when the turn was closed before the sentence was over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from bench.lib import percentile, print_table, running_server, write_json
from bench.recordings import BECKETT, ENDGAME, PAUSE_MS, TWO_CITIES, Caller, Utterance, caller

FRAME_MS = 20
GIVE_UP_S = 5.0
SETTLE_S = 0.6
STAGES = ("endpoint", "stt", "agent", "tts", "response")


@dataclass(frozen=True, slots=True)
class Measured:
    """One utterance. ``cut``: which of its pauses were taken for the end; times of a cut utterance are not counted.
    ``talked_into``: a reply was heard before the utterance was over."""

    utterance: Utterance
    cut: tuple[int, ...]
    talked_into: bool
    response_ms: float
    latency_ms: dict[str, float]
    transcript: str


@dataclass(slots=True)
class Heard:
    """What came from the server, with its times."""

    first_audio_s: float | None = None
    last_audio_s: float = 0.0
    finals: list[tuple[float, str]] = field(default_factory=list)
    latency_ms: dict[str, float] = field(default_factory=dict)
    state: str = ""


class Line:
    """A call: frames go out by an absolute schedule, what comes in is noted."""

    def __init__(self, socket: ClientConnection, who: Caller) -> None:
        self._socket = socket
        self._who = who
        self._loop = asyncio.get_running_loop()
        self._frame_bytes = who.rate_hz * FRAME_MS // 1000 * 2
        self._tone = who.room_tone
        self._began_s = self._loop.time()
        self._count = 0
        self.heard = Heard()

    async def send(self, pcm: bytes) -> float:
        """Send in real time; return when the first sample was due, so that sample n was at that + n / rate."""
        first_s = self._began_s + (self._count - 1) * FRAME_MS / 1000
        for at in range(0, len(pcm), self._frame_bytes):
            await asyncio.sleep(self._began_s + self._count * FRAME_MS / 1000 - self._loop.time())
            await self._socket.send(pcm[at : at + self._frame_bytes].ljust(self._frame_bytes, b"\0"))
            self._count += 1
        return first_s

    async def be_silent(self) -> None:
        """One frame of the room's quiet."""
        at = self._count * self._frame_bytes % len(self._tone)
        await self.send((self._tone + self._tone)[at : at + self._frame_bytes])

    async def listen(self) -> None:
        async for message in self._socket:
            now_s = self._loop.time()
            if isinstance(message, bytes):
                self.heard.first_audio_s = self.heard.first_audio_s or now_s
                self.heard.last_audio_s = now_s
            else:
                self._note(json.loads(message), now_s)

    def _note(self, message: dict[str, object], now_s: float) -> None:
        match message:
            case {"type": "state", "state": str(state)}:
                self.heard.state = state
            case {"type": "transcript", "final": True, "text": str(text)} if text:
                self.heard.finals.append((now_s, text))
            case {"type": "reply", "event": "done", "latency": dict(latency)}:
                self.heard.latency_ms = {
                    stage: latency[f"{stage}_ms"] for stage in STAGES if latency.get(f"{stage}_ms") is not None
                }
            case {"type": "error"}:
                print("error from the server:", message)

    async def measure(self, utterance: Utterance) -> Measured:
        self.heard = Heard(state=self.heard.state)
        first_s = await self.send(utterance.pcm)
        over_s = first_s + utterance.last_voiced_ms / 1000
        while self._answered_s(over_s) is None and self._loop.time() < over_s + GIVE_UP_S:
            await self.be_silent()
        answered_s = self._answered_s(over_s)
        await self._break_off()
        early = [at_s for at_s, _ in self.heard.finals if at_s < over_s]
        return Measured(
            utterance,
            tuple(dict.fromkeys(_pause_before((at_s - first_s) * 1000, utterance) for at_s in early)),
            self.heard.first_audio_s is not None and self.heard.first_audio_s < over_s,
            math.nan if early or answered_s is None else (answered_s - over_s) * 1000,
            self.heard.latency_ms,
            " ".join(text for _, text in self.heard.finals),
        )

    def _answered_s(self, over_s: float) -> float | None:
        """When the audio of the answer began. A wrong reply may have begun before: its times are not counted."""
        first_s = self.heard.first_audio_s
        return first_s if first_s is not None and self.heard.last_audio_s >= over_s else None

    async def _break_off(self) -> None:
        """End the reply, and wait until nothing comes any more."""
        await self._socket.send('{"type": "interrupt"}')
        until_s = self._loop.time() + SETTLE_S
        while self._loop.time() < until_s:
            await self.be_silent()
            if self.heard.state != "listening" and self._loop.time() < until_s + GIVE_UP_S:
                until_s = max(until_s, self._loop.time() + SETTLE_S)


def _pause_before(at_ms: float, utterance: Utterance) -> int:
    """Which pause a turn that was closed at ``at_ms`` was closed in; -1: none of those that were made."""
    return max((index for index, begin_ms in enumerate(utterance.pauses_ms) if begin_ms < at_ms), default=-1)


async def call(url: str, who: Caller) -> list[Measured]:
    async with connect(url, compression=None, max_size=None) as socket:
        audio = {"encoding": "pcm_s16le", "sample_rate": who.rate_hz}
        await socket.send(json.dumps({"type": "start", "audio": audio}))
        line = Line(socket, who)
        listening = asyncio.create_task(line.listen())
        await line.send(who.room_tone)
        measured = [await line.measure(utterance) for utterance in who.utterances]
        await socket.send('{"type": "stop"}')
        await listening
    return measured


def report(measured: Sequence[Measured]) -> dict[str, object]:
    whole = [each for each in measured if not each.cut]
    answered = [each.response_ms for each in whole if not math.isnan(each.response_ms)]
    rows: dict[str, list[float]] = {"response, outside": answered}
    for stage in STAGES:
        rows[stage] = [each.latency_ms[stage] for each in whole if stage in each.latency_ms]
    percents = (50, 90, 95, 100)
    spread = {
        name: {"n": len(values)} | {f"p{percent}": percentile(values, percent) for percent in percents}
        for name, values in rows.items()
    }
    print_table(
        ["ms", "n", "p50", "p90", "p95", "max"], [[name, *figures.values()] for name, figures in spread.items()]
    )
    kinds = {"whose words could be all": True, "in mid-sentence": False}
    cuts = {kind: _cuts(measured, could_be_all=could_be_all) for kind, could_be_all in kinds.items()}
    print(f"\nanswered {len(answered)} of {len(whole)} sentences that were heard to their end")
    for kind, (cut, pauses) in cuts.items():
        print(f"cut off at {cut} of {pauses} pauses of {PAUSE_MS} ms {kind} ({100 * cut / max(1, pauses):.0f} %)")
    cut, pauses = (sum(each) for each in zip(*cuts.values(), strict=True))
    print(f"cut off at {cut} of {pauses} pauses of {PAUSE_MS} ms altogether ({100 * cut / max(1, pauses):.0f} %)")
    print(f"in {sum(each.talked_into for each in measured)} sentences a reply was heard before they were over")
    return {"spread": spread, "sentences": len(measured), "cut_of_pauses": cuts, "answered": len(answered)}


def _cuts(measured: Sequence[Measured], *, could_be_all: bool) -> tuple[int, int]:
    """How many pauses of one kind were taken for the end, of how many."""
    words = [
        (each.cut, index, word) for each in measured for index, (_, word) in enumerate(each.utterance.sentence.pauses)
    ]
    cut = [index in cut for cut, index, word in words if word.endswith(".") == could_be_all]
    return sum(cut), len(cut)


def show_each(measured: Sequence[Measured]) -> None:
    def row(each: Measured) -> list[object]:
        words = [each.utterance.sentence.pauses[index][1] if index >= 0 else "(own pause)" for index in each.cut]
        stages = [each.latency_ms.get(stage) for stage in STAGES]
        return [each.utterance.sentence.text[:34], each.response_ms, *stages, "/".join(words), each.transcript[:50]]

    print_table(["sentence", "outside", *STAGES, "cut after", "heard"], [row(each) for each in measured])
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--each", action="store_true", help="show every sentence")
    parser.add_argument("--url", help="measure a server that is running already (with the echo agent)")
    arguments = parser.parse_args()
    callers = [caller(sentences) for sentences in (BECKETT, TWO_CITIES, ENDGAME)]

    async def all_calls(url: str) -> list[Measured]:
        return [measured for who in callers for measured in await call(url, who)]

    if arguments.url:
        measured = asyncio.run(all_calls(arguments.url))
    else:
        with running_server(agent__provider="echo") as server:
            measured = asyncio.run(all_calls(server.ws_url))
    if arguments.each:
        show_each(measured)
    write_json(arguments.json, report(measured))


if __name__ == "__main__":
    main()
