"""``beluga-voice check`` and ``providers``: what is configured, does it work, and what else is there?"""

from __future__ import annotations

import asyncio
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.parts import Choice, choices
from app.settings import Settings
from providers.errors import ProviderError
from providers.registry import available

__all__ = ("check_all", "show_providers")


def check_all(settings: Settings, console: Console | None = None) -> int:
    """Make and warm up every configured provider. The exit code: 1 when any failed."""
    console = console or Console(soft_wrap=True, highlight=False)
    failures = 0
    for choice in choices(settings):
        mistakes = _mistakes(choice)
        verdict = "[red]failed[/]" if mistakes else "[green]ok[/]"
        as_fallback = "" if choice.path == choice.kind else f" [dim]{choice.path}[/]"
        console.print(f"{choice.kind:6} {escape(choice.name):12} {verdict}{as_fallback}")
        for line in mistakes:
            console.print(f"       {escape(line)}")
        failures += bool(mistakes)
    if failures:
        console.print(f"{failures} of the configured providers will not work")
    return 1 if failures else 0


def _mistakes(choice: Choice) -> list[str]:
    """What is wrong, and where the provider knows it, how to mend it."""
    try:
        provider = choice.make()
        if provider is not None:
            asyncio.run(_warm_up(provider))
    except ProviderError as error:
        return choice.explain(error)
    return []


async def _warm_up(provider: Any) -> None:
    try:
        await provider.warm_up()
    finally:
        await provider.aclose()


def show_providers(console: Console | None = None) -> None:
    table = Table("kind", "provider", "extra", "installed", "what it is", "licence", box=None, pad_edge=False)
    for provider in available():
        installed = "[green]yes[/]" if provider.installed else "[red]no[/]"
        what = escape(provider.description)
        table.add_row(provider.kind, provider.name, provider.extra or "-", installed, what, provider.licence)
    console = console or Console()
    console.print(table)
    console.print("An extra is brought by [bold]pip install 'beluga-voice\\[EXTRA]'[/].")
