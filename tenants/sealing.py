"""Webhook secrets at rest: sealed with keys from the environment; a copy of the database signs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from base.errors import SecretUnreadable

SEALED = "enc:v1:"
"""What a sealed secret begins with in the database; without it, it is plain text."""


def new_sealing_key() -> str:
    """A key for `TIL_SECRET_KEYS`: 256 random bits in URL-safe base64."""
    return Fernet.generate_key().decode()


class SecretBox:
    """Seals with the first key, opens with any (Fernet: AES-128-CBC with HMAC-SHA256). No keys: plain text.

    Raises ValueError where a key is not one.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    @property
    def seals(self) -> bool:
        """Whether there is a key."""
        return self._fernet is not None

    def seal(self, secret: str) -> str:
        """What to store."""
        return SEALED + self._fernet.encrypt(secret.encode()).decode() if self._fernet else secret

    def open(self, stored: str) -> str:
        """The secret that was stored, sealed or not. Raises SecretUnreadable."""
        if not stored.startswith(SEALED):
            return stored
        if self._fernet is None:
            raise SecretUnreadable
        try:
            return self._fernet.decrypt(stored.removeprefix(SEALED)).decode()
        except InvalidToken:
            raise SecretUnreadable from None
