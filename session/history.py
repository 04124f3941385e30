"""The conversation as the user heard it: what they said, and of each reply what came out of the speaker."""

from __future__ import annotations

from providers.api import Message

__all__ = ("History",)


class History:
    def __init__(self) -> None:
        self._messages: list[Message] = []

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(self._messages)

    def user_said(self, text: str) -> None:
        self._messages.append(Message("user", text))

    def take_back(self) -> None:
        """The user goes on with the turn that was given to the agent: its text returns within a longer one."""
        if self._messages and self._messages[-1].role == "user":
            del self._messages[-1]

    def user_heard(self, text: str, *, interrupted: bool) -> None:
        """A reply of which nothing was heard leaves no trace."""
        if text:
            self._messages.append(Message("assistant", text, interrupted))
