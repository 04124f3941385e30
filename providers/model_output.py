"""A model in ONNX with one more output: a tensor that it computes on its way anyhow.

What stands behind a message of protocol buffers is merged into it, field by field
(https://protobuf.dev/programming-guides/encoding/#last-one-wins), so a few bytes more are an output more, and neither
the package ``onnx`` nor a copy of the file is needed. Field numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ("with_output_of",)

_MODEL_GRAPH = 7
_GRAPH_NODE = 1
_GRAPH_OUTPUT = 12
_NODE_OUTPUT = 2
_NODE_OPERATOR = 4
_VALUE_NAME = 1

_BYTES = 2


def with_output_of(model: bytes, operator: str) -> bytes:
    """``model``, whose last output is now what its only node of ``operator`` gives.

    :raises ValueError: when there is no such node, or more than one, or this is no model.
    """
    found = [
        _only(_fields(node), _NODE_OUTPUT)
        for graph in _all(_fields(memoryview(model)), _MODEL_GRAPH)
        for node in _all(_fields(graph), _GRAPH_NODE)
        if [operator.encode()] == [bytes(each) for each in _all(_fields(node), _NODE_OPERATOR)]
    ]
    if len(found) != 1:
        raise ValueError(f"the model has {len(found)} nodes {operator}")
    value = _field(_VALUE_NAME, bytes(found[0]))
    return model + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, value))


def _all(fields: Iterator[tuple[int, memoryview]], number: int) -> list[memoryview]:
    return [content for found, content in fields if found == number]


def _only(fields: Iterator[tuple[int, memoryview]], number: int) -> memoryview:
    contents = _all(fields, number)
    if len(contents) != 1:
        raise ValueError(f"a node of the model has {len(contents)} outputs")
    return contents[0]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and the content of each field that is no number itself."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(message, at)
                if at + length > len(message):
                    raise ValueError("this is no model: it ends too early")
                yield tag >> 3, message[at : at + length]
                at += length
            case 5:
                at += 4
            case kind:
                raise ValueError(f"this is no model: it has a field of kind {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("this is no model: it ends too early")


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])
