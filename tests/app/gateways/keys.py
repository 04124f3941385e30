"""Keys for tests, made anew for each run."""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

__all__ = ("ED25519", "ED25519_PUBLIC", "RSA_PEM", "RSA_PUBLIC_PEM")

_RSA = generate_private_key(public_exponent=65537, key_size=2048)
RSA_PEM = _RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
RSA_PUBLIC_PEM = _RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

ED25519 = Ed25519PrivateKey.generate()
ED25519_PUBLIC = b64encode(ED25519.public_key().public_bytes_raw()).decode()
