"""Private keys, whole or in part. Their armour is right, their bodies are drawn."""

from __future__ import annotations

import json

from tests.til.secrets_corpus import ALNUM, DRAW, SEED, Case, draw


def key(name: str, width: int = 64, lines: int = 5, end: str = "\n") -> str:
    """A private key in PEM's armour; its body is random."""
    body = [draw(ALNUM + "+/", width) for _ in range(lines)] + [draw(ALNUM, 20) + "=="]
    return end.join([f"-----BEGIN {name}-----", *body, f"-----END {name}-----"])


def keys() -> list[Case]:
    """Private keys, whole or in part, as they stand in files, diffs and strings."""
    DRAW.seed(SEED + 2)
    rsa, dsa, plain = key("RSA PRI" + "VATE KEY"), key("DSA PRI" + "VATE KEY"), key("PRI" + "VATE KEY")
    pgp = key("PGP PRI" + "VATE KEY BLOCK").replace("-----\n", "-----\nVersion: GnuPG v2\n\n", 1)
    old, new = key("EC PRI" + "VATE KEY", lines=2), key("EC PRI" + "VATE KEY", lines=2)
    encrypted = rsa.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B2C\n\n", 1)

    def case(text: str, body: str, path: str = "deploy/id") -> Case:
        return Case(text, path, "private_key", body)

    def middle(pem: str) -> str:
        return pem.split("\n")[3]

    def diff(pem: str, mark: str) -> str:
        return "@@ -0,0 +1,9 @@\n" + "".join(f"{mark}{line}\n" for line in pem.split("\n")) + " end\n"

    concatenated = "String k = " + " +\n    ".join(f'"{line}\\n"' for line in plain.split("\n")) + ";"
    putty = "PuTTY-User-" + "Key-File-2: ssh-rsa\nPrivate-Lines: 3\n" + "\n".join(plain.split("\n")[1:4])
    changed = [" " + old.split("\n")[0], *("-" + line for line in old.split("\n")[1:-1])]
    changed += [*("+" + line for line in new.split("\n")[1:-1]), " " + new.split("\n")[-1]]
    return [
        case(rsa + "\n", middle(rsa)),
        case(key_text := "x\r\n" + dsa.replace("\n", "\r\n"), key_text.split("\r\n")[4]),
        case(encrypted, middle(rsa)),
        case(pgp, middle(pgp.replace("\n\n", "\n"))),
        case(diff(plain, "+"), middle(plain)),
        case(diff(rsa, "-"), middle(rsa)),
        case("\n".join(changed), new.split("\n")[1]),
        case("\n".join(changed), old.split("\n")[1]),
        case(
            json.dumps({"private_key": plain + "\n", "client_email": "a@b.example"}), middle(plain), "sa.json"
        ),
        case("key: |\n" + "".join(f"    {line}\n" for line in plain.split("\n")), middle(plain), "k8s.yaml"),
        case(concatenated, middle(plain), "A.java"),
        case(putty, middle(plain), "a.ppk"),
        case("\n".join(rsa.split("\n")[:4]) + "\n@@ -9,3 +9,3 @@\n", middle(rsa)),
        case("\n".join(rsa.split("\n")[2:]), middle(rsa)),
        case(key("OPENSSH PRI" + "VATE KEY", 70).replace("\n", "\n+"), "OPENSSH"),
    ]
