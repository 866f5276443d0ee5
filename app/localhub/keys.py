"""RSA keys of Apps: made, kept in a file that only its owner reads, loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def generate() -> tuple[str, str]:
    """Make a private key and its public half, as PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  (slow)

    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _pem(key: "RSAPrivateKey") -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (slow)

    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    return private.decode(), public.decode()


def load_or_create(file: Path) -> tuple[str, str]:
    """Read the key in a file, or put a new one there, for its owner's eyes only."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (slow)
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  (slow)

    if file.exists():
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{file} holds no RSA private key")
        return _pem(key)
    private, public = generate()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(private)
    return private, public
