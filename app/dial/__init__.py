"""The gateway's side of a phone call: for whoever tries a server without a phone line, and for tests."""
