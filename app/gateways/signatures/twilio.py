"""``X-Twilio-Signature``: HMAC-SHA1 with the account's auth token over the URL and the form's fields, sorted.

https://www.twilio.com/docs/usage/security. The upgrade of a stream has no form; whether the URL is written with a port
or a slash at its end differs, so each way is tried, as Twilio's own validators do.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha1

from app.gateways.received import Received

__all__ = ("is_signed_by_twilio",)


def is_signed_by_twilio(request: Received, auth_token: str) -> bool:
    given = request.headers.get("x-twilio-signature", "").encode()
    fields = "".join(name + value for name, value in sorted(set(request.form)))
    matches = [hmac.compare_digest(_sign(auth_token, url + fields), given) for url in request.urls()]
    return any(matches)


def _sign(auth_token: str, text: str) -> bytes:
    return b64encode(hmac.new(auth_token.encode(), text.encode(), sha1).digest())
