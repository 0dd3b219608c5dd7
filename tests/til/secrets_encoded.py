"""Secrets in base64: a Kubernetes Secret's values, the users of registries and of mail."""

from __future__ import annotations

import base64

from tests.til.secrets_corpus import ALNUM, DRAW, SEED, Case, draw, found
from tests.til.secrets_keys import key


def in_base64() -> list[Case]:
    """What is encoded is drawn; a name may say nothing of it."""
    DRAW.seed(SEED + 9)

    def secret(kind: str, name: str, value: str, text: str = "kind: Secret\ndata:\n  {name}: {}\n") -> Case:
        return found(
            kind, text.replace("{name}", name), base64.b64encode(value.encode()).decode(), "secret.yaml"
        )

    json_text = '{\n  "kind": "Secret",\n  "data": {\n    "{name}": "{}"\n  }\n}'
    quoted = 'apiVersion: v1\ndata:\n  {name}: "{}"\nkind: Secret\ntype: Opaque'
    docker = '{"auths": {"a.example": {"auth": "eDp5"}}}'
    return [
        secret("password", "password", draw(ALNUM, 12)),
        secret("password", "db-password", "harbour" + draw(ALNUM, 5)),
        secret("password", "POSTGRES_PASSWORD", draw(ALNUM, 9) + "!", quoted),
        secret("token", "token", draw(ALNUM, 40)),
        secret("api_key", "api-key", draw(ALNUM, 32), json_text),
        secret("secret", "credentials", draw(ALNUM, 24)),
        secret("secret", "uri", f"postgres://ada:{draw(ALNUM, 12)}@db/app"),
        secret("secret", "tls.key", key("PRI" + "VATE KEY")),
        secret("secret", ".dockerconfigjson", docker),
        secret("authorization", "auth", "ada:" + draw(ALNUM, 12), '{"auths": {"a": {"{name}": "{}"}}}'),
        secret("authorization", "_auth", "ada:" + draw(ALNUM, 12), "//a.example/:{name}={}"),
        secret("authorization", "", "\0ada\0" + draw(ALNUM, 12), "C: AUTH PLAIN {}"),
    ]
