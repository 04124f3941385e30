"""What a call costs, and whether many calls hurt each other: 1, 25, 50, 100 callers at once on the audio WebSocket.

Every step has a fresh server (fixed recogniser, tone, echo agent: no model but Silero on every caller) and a load
process of its own. Response times are taken outside: last voiced sample sent to first frame of audio received.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.lib import ROOT, Server, percentile, print_table, running_server, write_json

STEPS = (1, 25, 50, 100)
QUIET_CALLERS = 100
SETTLE_S = 2.0


def measure(callers: int, mode: str, seconds: float) -> dict[str, float]:
    options = {"tts__options": '{"duration_ms": 600}', "limits__max_sessions": str(callers + 10)}
    with running_server(stt__provider="fixed", tts__provider="tone", agent__provider="echo", **options) as server:
        process = psutil.Process(server.pid)
        time.sleep(SETTLE_S)
        empty = process.memory_full_info()
        with load(server, callers, mode, seconds) as running:
            time.sleep(SETTLE_S if mode == "idle" else 0.0)
            lag_before = lag_buckets(server)
            before, began_s = process.cpu_times(), time.monotonic()
            figures = running.result()
            after, wall_s = process.cpu_times(), time.monotonic() - began_s
            full = process.memory_full_info()
            lag_after = lag_buckets(server)
    cpu = (after.user + after.system - before.user - before.system) / wall_s
    lag = {bound: count - lag_before.get(bound, 0.0) for bound, count in lag_after.items()}
    responses = figures["response_ms"]
    return {
        "callers": callers,
        "asked": figures["asked"],
        "answered": figures["answered"],
        "cut_off": figures["early"],
        "errors": figures["errors"],
        "response_p50_ms": percentile(responses, 50),
        "response_p95_ms": percentile(responses, 95),
        "response_max_ms": percentile(responses, 100),
        "server_cpu_percent": cpu * 100,
        "cpu_percent_per_call": cpu * 100 / callers,
        "rss_kb_per_call": (full.rss - empty.rss) / 1024 / callers,
        "uss_kb_per_call": (full.uss - empty.uss) / 1024 / callers,
        "loop_lag_p99_ms": lag_percentile(lag, 99),
        "load_cpu_percent": figures["load_cpu"] * 100,
        "load_late_ticks": figures["late_ticks"],
    }


class Load:
    """The load process, once all its callers are connected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def result(self) -> dict[str, Any]:
        """Let it run, and wait for its figures."""
        self.tell("go")
        figures: dict[str, Any] = json.loads(self.line())
        return figures

    def tell(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return line
        raise SystemExit("the load process ended early")


@contextmanager
def load(server: Server, callers: int, mode: str, seconds: float) -> Iterator[Load]:
    given = ["--url", server.ws_url, "--callers", str(callers), "--mode", mode, "--seconds", str(seconds)]
    command = [sys.executable, str(ROOT / "bench" / "load.py"), *given]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        running = Load(process)
        running.line()
        yield running
        running.tell("end")
        process.wait(10)
    finally:
        process.kill()
        process.communicate()


LAG_BUCKET = re.compile(r'^event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', re.MULTILINE)


def lag_buckets(server: Server) -> dict[float, float]:
    return {float(bound): float(count) for bound, count in LAG_BUCKET.findall(server.get("/metrics"))}


def lag_percentile(buckets: Mapping[float, float], percent: float) -> float:
    """The upper bound of the bucket that holds it, in milliseconds."""
    total = buckets.get(math.inf, 0.0)
    bounds = [bound for bound, count in sorted(buckets.items()) if count >= total * percent / 100]
    return bounds[0] * 1000 if total and bounds else math.nan


COLUMNS = {
    "callers": "calls",
    "asked": "asked",
    "answered": "answered",
    "cut_off": "cut off",
    "errors": "errors",
    "response_p50_ms": "p50 ms",
    "response_p95_ms": "p95 ms",
    "response_max_ms": "max ms",
    "server_cpu_percent": "CPU %",
    "cpu_percent_per_call": "% a call",
    "rss_kb_per_call": "RSS KB",
    "uss_kb_per_call": "USS KB",
    "loop_lag_p99_ms": "lag p99 <",
    "load_cpu_percent": "load %",
    "load_late_ticks": "load late",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each step talks")
    arguments = parser.parse_args()
    seconds = arguments.seconds
    # One caller alone has few turns: it talks for longer.
    steps = [(f"{count} talking", count, "speech", seconds * (2 if count == 1 else 1)) for count in STEPS]
    steps += [("idle, nothing sent", QUIET_CALLERS, "idle", seconds / 2)]
    steps += [("room tone sent", QUIET_CALLERS, "silence", seconds / 2)]
    measured = {name: measure(count, mode, seconds) for name, count, mode, seconds in steps}
    print_table(
        ["", *COLUMNS.values()], [[name, *(row[column] for column in COLUMNS)] for name, row in measured.items()]
    )
    one, most = measured[steps[0][0]], measured[steps[len(STEPS) - 1][0]]
    print(f"\np95 at {STEPS[-1]}: {most['response_p95_ms'] - one['response_p95_ms']:+.0f} ms against {STEPS[0]}")
    write_json(arguments.json, {"steps": measured})


if __name__ == "__main__":
    main()
