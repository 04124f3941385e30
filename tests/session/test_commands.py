"""Every command is a value: frozen, slotted, a member of the sum, and exported."""

from __future__ import annotations

from typing import get_args

import pytest

from session import commands
from session.commands import Command
from tests.session.values import is_frozen_and_slotted, names_defined_in, values_of


@pytest.mark.parametrize("command", values_of(commands))
def test_every_command_is_frozen_and_slotted(command: type) -> None:
    assert is_frozen_and_slotted(command)


def test_the_sum_has_every_command() -> None:
    assert set(values_of(commands)) == set(get_args(Command))


def test_every_command_is_exported() -> None:
    assert names_defined_in(commands) == set(commands.__all__)
