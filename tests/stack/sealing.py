"""The key that seals webhook secrets in these tests, a new one each time."""

from __future__ import annotations

from tenants.sealing import SecretBox, new_sealing_key

SECRET_KEYS = new_sealing_key()
BOX = SecretBox([SECRET_KEYS])
