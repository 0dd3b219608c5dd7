"""Encryption of webhook secrets in the database, with keys from the environment.

"Sealed" means encrypted. Whoever has only a copy of the database can't sign webhooks.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from base.errors import SecretUnreadable

SEALED = "enc:v1:"
"""Prefix of an encrypted secret in the database; a value without it is plain text."""


def new_sealing_key() -> str:
    """A key for `TIL_SECRET_KEYS`: 256 random bits in URL-safe base64."""
    return Fernet.generate_key().decode()


class SecretBox:
    """Encrypts with the first key, decrypts with any (Fernet: AES-128-CBC with HMAC-SHA256). Without keys,
    secrets stay plain text. Raises ValueError for an invalid key.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    @property
    def seals(self) -> bool:
        """Whether it encrypts, that is, has a key."""
        return self._fernet is not None

    def seal(self, secret: str) -> str:
        """The value to store for a secret."""
        return SEALED + self._fernet.encrypt(secret.encode()).decode() if self._fernet else secret

    def open(self, stored: str) -> str:
        """The secret of a stored value, sealed or plain. Raises SecretUnreadable."""
        if not stored.startswith(SEALED):
            return stored
        if self._fernet is None:
            raise SecretUnreadable
        try:
            return self._fernet.decrypt(stored.removeprefix(SEALED)).decode()
        except InvalidToken:
            raise SecretUnreadable from None
