"""The agent that says back what it heard: for measurements, and to hear what was recognised."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pydantic import BaseModel, ConfigDict

from providers.api import AgentOutput, AgentRequest, AgentText

__all__ = ("Echo",)


class Echo:
    """Repeats the transcript of a turn and the digits of a key press; greets nobody."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

    name = "echo"

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or self.Options()

    async def warm_up(self) -> None:
        pass

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        said = {"turn": request.transcript, "dtmf": " ".join(request.digits or "")}.get(request.type, "")
        if said:
            yield AgentText(said)

    async def notify(self, request: AgentRequest) -> None:
        pass

    async def aclose(self) -> None:
        pass
