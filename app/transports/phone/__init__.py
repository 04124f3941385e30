"""Calls that come over a phone gateway's WebSocket."""
