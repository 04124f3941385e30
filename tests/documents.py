"""The documents of the project and the code blocks in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("PAGES", "ROOT", "Block", "Command", "blocks_of", "commands_of", "exports_of", "files_of", "name_of")

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """``line``: of the fence in its page, from 1. ``file``: the name in a comment on the first line, if any."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = re.match(r"# ([\w.]+\.py)\b", self.text)
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """:raises ValueError: for a fence that is not closed."""
    opened: tuple[int, str, str] | None = None
    kept: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, kept = (number, fence[1], fence[2].strip()), []
        elif fence and not fence[2].strip() and fence[1].startswith(opened[1]):
            yield Block(page, opened[0], opened[2], "\n".join(kept) + "\n")
            opened = None
        else:
            kept.append(line)
    if opened is not None:
        raise ValueError(f"{page.name}:{opened[0]}: a block that is not closed")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def files_of(page: Path) -> dict[str, str]:
    """The Python files that a page tells its reader to save."""
    return {block.file: block.text for block in blocks_of(page) if block.language == "python" and block.file}


@dataclass(frozen=True, slots=True)
class Command:
    block: Block
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        return Path(self.arguments[0]).name

    def __str__(self) -> str:
        return f"{self.block} {shlex.join(self.arguments)}"


def commands_of(page: Path) -> Iterator[Command]:
    """Every command of the ``sh`` blocks; what a block exports holds for the rest of it."""
    for block in blocks_of(page):
        if block.language == "sh":
            yield from _commands(block)


def exports_of(page: Path) -> dict[str, str]:
    return {name: value for command in commands_of(page) for name, value in command.environment.items()}


def _commands(block: Block) -> Iterator[Command]:
    exported: dict[str, str] = {}
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            exported |= dict(_assigned(word) for word in words[1:])
            continue
        given: dict[str, str] = {}
        while words and _ASSIGNMENT.fullmatch(words[0]):
            name, value = _assigned(words.pop(0))
            given[name] = value
        if words:
            yield Command(block, tuple(words), exported | given)


def _assigned(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
