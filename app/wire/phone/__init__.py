"""The protocols of phone gateways, sans I/O: messages of a WebSocket to events, commands to messages."""
