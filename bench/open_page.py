"""A page left open: a caller who says something twice a minute. Does it still answer, and have page and server grown?

``python -m bench.open_page --minutes 30 --transport webrtc``; needs Chromium.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import CDPSession, sync_playwright

from tests.browser.chromium import browsing, visiting, write_microphone
from tests.recordings import BECKETT, silence
from tests.server import ServerHandle, serving

RATE_HZ = 48_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--transport", choices=("websocket", "webrtc"), default="websocket")
    given = parser.parse_args()
    said = BECKETT.phrase(3, RATE_HZ)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving({"BELUGA_AGENT__PROVIDER": "echo"}) as server,
        sync_playwright() as playwright,
    ):
        quiet_ms = 30_000 - len(said) // 2 * 1000 // RATE_HZ
        heard = write_microphone(Path(folder, "microphone.wav"), said + silence(quiet_ms, RATE_HZ))
        with browsing(playwright, heard) as browser, visiting(browser, server.base_url, given.transport) as visitor:
            devtools = visitor.page.context.new_cdp_session(visitor.page)
            devtools.send("Performance.enable")
            visitor.start()
            print(f"by {visitor.evaluate('call.transport')}")
            print("minute   turns   heap kB   nodes   listeners   server MB")
            began_s = time.monotonic()
            for minute in range(given.minutes + 1):
                time.sleep(max(0.0, began_s + 60 * minute - time.monotonic()))
                print(f"{minute:6}   {_turns(server):5}   {_figures(devtools)}   {_server_mb(server):9.1f}", flush=True)
            visitor.type("are you still there")
            visitor.until(lambda: visitor.transcript.count("are you still there") == 2)
            print(f"it still answers; errors: {visitor.errors}")


def _turns(server: ServerHandle) -> int:
    """Answered to the end. The page shows the latest only."""
    with urllib.request.urlopen(f"{server.base_url}/metrics") as answer:
        told = answer.read().decode()
    found = re.search(r'^turns_total\{outcome="answered"\} (\S+)', told, re.MULTILINE)
    return int(float(found[1])) if found else 0


def _server_mb(server: ServerHandle) -> float:
    return psutil.Process(server.process.pid).memory_info().rss / 1e6


def _figures(devtools: CDPSession) -> str:
    """After the garbage was collected."""
    devtools.send("HeapProfiler.collectGarbage")
    found = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
    return f"{found['JSHeapUsedSize'] / 1000:7.0f}   {found['Nodes']:5.0f}   {found['JSEventListeners']:9.0f}"


if __name__ == "__main__":
    main()
