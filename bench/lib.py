"""What the benchmarks share: a server of their own, percentiles, tables. Run them from the root: ``make bench``."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())


@contextmanager
def running_server(code: str = "from app.cli import main; main()", **settings: str) -> Iterator[Server]:
    """A server process with these settings (``stt__provider="fixed"``), ready for calls; ended afterwards."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BELUGA_")}
    chosen = {f"BELUGA_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", str(port)],
        cwd=ROOT,
        env={**inherited, "BELUGA_LOG__LEVEL": "warning", **chosen},
        stdout=subprocess.DEVNULL,
    )
    try:
        server = Server(port, process.pid)
        _wait_until_ready(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise SystemExit(f"the server did not start: exit code {process.returncode}")
        try:
            server.get("/readyz")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the server was not ready after {START_LIMIT_S:g} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank, so always a value that was measured; not a number where there is none."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    texts = [[_cell(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        first, *others = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
    return "-" if value is None else str(value)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def write_json(path: Path | None, result: Mapping[str, object]) -> None:
    if path:
        path.write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n")
