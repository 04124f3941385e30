"""Server-sent events out of a stream of text, as the HTML standard says (§ 9.2.6). No I/O, standard library only."""

from __future__ import annotations

__all__ = ("EventStream",)


class EventStream:
    """Takes text cut anywhere, gives the data of each event that is complete. Names, ids and comments are skipped.

    An event that the stream breaks off, before its empty line, is not one.
    """

    def __init__(self) -> None:
        self._line: list[str] = []
        self._data: list[str] = []
        self._after_cr = False

    def push(self, text: str) -> list[str]:
        if not text:
            return []
        begins_with_lf_of_crlf = self._after_cr and text[0] == "\n"
        self._after_cr = text[-1] == "\r"
        if begins_with_lf_of_crlf:
            text = text[1:]
        *complete, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        events: list[str] = []
        for part in complete:
            self._line.append(part)
            self._end_line("".join(self._line), events)
            self._line.clear()
        if rest:
            self._line.append(rest)
        return events

    def _end_line(self, line: str, events: list[str]) -> None:
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif not line and self._data:
            events.append("\n".join(self._data))
            self._data.clear()
