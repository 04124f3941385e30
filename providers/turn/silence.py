"""No opinion: every turn ends after the same silence, whatever was said."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from providers.api import TurnSoFar

__all__ = ("Silence",)


class Silence:
    """Answers the same probability always. The default one is worth about 500 ms of silence."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        finished: float = Field(default=0.6, ge=0, le=1, description="the probability that every verdict is")

    name = "silence"
    audio_ms = 0

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or self.Options()

    async def warm_up(self) -> None:
        pass

    async def judge(self, turn: TurnSoFar) -> float:  # noqa: ARG002 - the protocol's signature
        return self._options.finished

    async def aclose(self) -> None:
        pass
