"""Whom a call may be connected with: what an agent names is checked before it reaches a vendor."""

from __future__ import annotations

import re
from typing import Literal

from app.gateways.control import GatewayError, Operation

__all__ = ("checked", "digits_of")

_NUMBER = re.compile(r"\+?[0-9]{3,15}")
"""E.164, or a short number of the network."""
_SIP = re.compile(r"sips?:[^\s<>\"']{1,250}")
_DIGITS = re.compile(r"[0-9*#A-Dw]{1,100}")


def checked(gateway: str, operation: Operation, to: str) -> Literal["number", "sip"]:
    """
    :raises GatewayError: it is neither a number nor a SIP URI.
    """
    if _NUMBER.fullmatch(to):
        return "number"
    if _SIP.fullmatch(to):
        return "sip"
    raise GatewayError(gateway, operation, "the destination is neither a number such as +15550100 nor a SIP URI")


def digits_of(gateway: str, digits: str) -> str:
    """
    :raises GatewayError: there is something in it that no phone has.
    """
    if not _DIGITS.fullmatch(digits):
        raise GatewayError(gateway, "send_digits", "digits are 0 to 9, *, #, A to D, and w for a pause")
    return digits
