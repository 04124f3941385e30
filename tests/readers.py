"""What a reader of the documents does: saves the files of a page, and runs its commands."""

from __future__ import annotations

import asyncio
import os
import sys
import tomllib
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.documents import ROOT, Command, blocks_of, files_of
from tests.recordings import BECKETT

__all__ = ("LOG_LINE", "RECORDING", "defined_by", "run_command", "run_python", "save_files")

RECORDING = "beckett.wav"

LOG_LINE = frozenset(
    ["session_id", "transport", "trace_id", "span_id", "turn_id", "outcome", "event", "level", "logger", "timestamp"]
)
"""What a turn's line in the log holds beside its latency."""


async def run_python(
    folder: Path, *arguments: str, given: str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run Python in a folder, with ours on its path; the exit code and all that it wrote."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BELUGA_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**inherited, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "COLUMNS": "200", **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(given.encode())
    return process.returncode or 0, output.decode()


def save_files(page: Path, folder: Path) -> None:
    """What the reader of a page has saved, and, where the page makes a package, installed."""
    for name, text in files_of(page).items():
        folder.joinpath(name).write_text(text, encoding="utf-8")
    for block in blocks_of(page):
        project = tomllib.loads(block.text).get("project", {}) if block.language == "toml" else {}
        if "name" in project:
            info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
            info.mkdir()
            info.joinpath("METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
            groups = project["entry-points"].items()
            lines = [f"[{group}]\n{name} = {target}\n" for group, points in groups for name, target in points.items()]
            info.joinpath("entry_points.txt").write_text("".join(lines))


def save_recording(folder: Path) -> Path:
    """Something short to be said: the first words of the recording that the pages name."""
    path = folder / RECORDING
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(BECKETT.phrase(0))
    return path


async def run_command(command: Command, folder: Path, *more: str) -> tuple[int, str]:
    """With the short recording in the place of the page's."""
    recording = str(save_recording(folder))
    words = [recording if word.endswith(f"/{RECORDING}") else word for word in command.arguments[1:]]
    program = ["-m", "app.cli"] if command.program == "beluga-voice" else []
    return await run_python(folder, *program, *words, *more, environment=command.environment)


def defined_by(page: Path, file: str) -> dict[str, Any]:
    """What a file defines that a page has its reader save."""
    namespace: dict[str, Any] = {}
    exec(compile(files_of(page)[file], f"{page.name}: {file}", "exec", dont_inherit=True), namespace)
    return namespace
