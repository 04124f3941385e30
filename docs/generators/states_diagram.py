"""Draws ``docs/states.svg`` from the table of ``session.states``: ``make docs``.

Where a state stands is chosen by hand, which arrows there are is not.
"""

from __future__ import annotations

from pathlib import Path

from session.states import TRANSITIONS, SessionState

__all__ = ("LABELS", "PLACES", "TARGET", "draw", "main")

TARGET = Path(__file__).parents[2] / "docs" / "states.svg"

WIDTH, HEIGHT = 760, 430
BOX_WIDTH, BOX_HEIGHT = 120, 44
APART = 9
"""Half the distance of the two arrows between states that may follow each other."""

Point = tuple[float, float]
Edge = tuple[SessionState, SessionState]

PLACES: dict[SessionState, Point] = {
    SessionState.INITIAL: (90, 50),
    SessionState.LISTENING: (340, 160),
    SessionState.PROCESSING: (610, 60),
    SessionState.SPEAKING: (610, 260),
    SessionState.AWAY: (150, 270),
    SessionState.ENDED: (340, 380),
}

AROUND: dict[Edge, tuple[Point, Point]] = {
    (SessionState.INITIAL, SessionState.ENDED): ((50, 300), (70, 380)),
    (SessionState.PROCESSING, SessionState.ENDED): ((800, 60), (800, 380)),
}
"""Arrows that would cross a box, and the two points that they bend towards."""

LABELS: dict[Edge, tuple[str, float, float]] = {
    (SessionState.INITIAL, SessionState.LISTENING): ("start()", 222, 92),
    (SessionState.LISTENING, SessionState.PROCESSING): ("end of turn", 525, 130),
    (SessionState.PROCESSING, SessionState.SPEAKING): ("first audio", 558, 170),
    (SessionState.LISTENING, SessionState.SPEAKING): ("greeting, say()", 430, 246),
    (SessionState.SPEAKING, SessionState.LISTENING): ("reply over", 518, 200),
    (SessionState.LISTENING, SessionState.AWAY): ("nobody speaks", 180, 205),
    (SessionState.ENDED, SessionState.LISTENING): ("start()", 374, 330),
}
"""What brings the usual changes about, and where that is written."""

_STYLE = """
  .box { fill: #f4f6f8; stroke: #44546a; stroke-width: 1.5 }
  .name { fill: #1b2430; font: 600 15px sans-serif; text-anchor: middle; dominant-baseline: central }
  .why { fill: #5a6675; font: 12.5px sans-serif; text-anchor: middle }
  .arrow { fill: none; stroke: #44546a; stroke-width: 1.4; marker-end: url(#tip) }
  .start { stroke-dasharray: 5 4 }
  .tip { fill: #44546a }
  @media (prefers-color-scheme: dark) {
    .box { fill: #222b36; stroke: #9fb0c4 }
    .name { fill: #eef2f6 }
    .why { fill: #a9b6c5 }
    .arrow { stroke: #9fb0c4 }
    .tip { fill: #9fb0c4 }
  }
"""


def draw() -> str:
    """The diagram, the same for the same table."""
    edges = [(state, following) for state in SessionState for following in SessionState if _follows(state, following)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>The states of a session and what may follow what</title>",
        f"<style>{_STYLE}</style>",
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path class="tip" d="M0,0 L8,4 L0,8 z"/></marker>',
        *(_arrow(edge) for edge in edges),
        *(_box(state) for state in SessionState),
        *(f'<text class="why" x="{x:g}" y="{y:g}">{text}</text>' for text, x, y in LABELS.values()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _follows(state: SessionState, following: SessionState) -> bool:
    return following in TRANSITIONS[state]


def _box(state: SessionState) -> str:
    x, y = PLACES[state]
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    return (
        f'<rect class="box" x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="10"/>'
        f'<text class="name" x="{x:g}" y="{y:g}">{state}</text>'
    )


def _arrow(edge: Edge) -> str:
    state, following = edge
    # The one change that no event of a conversation brings about, only a call of the program's.
    kind = "arrow start" if state is SessionState.ENDED else "arrow"
    title = f"<title>{state} to {following}</title>"
    if edge in AROUND:
        first, second = AROUND[edge]
        begin, end = _rim(state, PLACES[state], first), _rim(following, PLACES[following], second)
        way = f"M{_at(begin)} C{_at(first)} {_at(second)} {_at(end)}"
    else:
        begin, end = _straight(state, following)
        way = f"M{_at(begin)} L{_at(end)}"
    return f'<path class="{kind}" d="{way}">{title}</path>'


def _straight(state: SessionState, following: SessionState) -> tuple[Point, Point]:
    """From rim to rim; beside the middle, where there is an arrow back."""
    (x1, y1), (x2, y2) = PLACES[state], PLACES[following]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    aside = APART / length if _follows(following, state) else 0.0
    shift_x, shift_y = (y1 - y2) * aside, (x2 - x1) * aside
    begin, end = (x1 + shift_x, y1 + shift_y), (x2 + shift_x, y2 + shift_y)
    return _rim(state, begin, end), _rim(following, end, begin)


def _rim(state: SessionState, inside: Point, towards: Point) -> Point:
    """Where the line from a point inside a box leaves it."""
    (x, y), (middle_x, middle_y) = inside, PLACES[state]
    dx, dy = towards[0] - x, towards[1] - y
    reach_x = (middle_x + BOX_WIDTH / 2 * (1 if dx > 0 else -1) - x) / dx if dx else 1.0
    reach_y = (middle_y + BOX_HEIGHT / 2 * (1 if dy > 0 else -1) - y) / dy if dy else 1.0
    reach = min(reach_x, reach_y)
    return x + dx * reach, y + dy * reach


def _at(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def main() -> None:
    TARGET.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
