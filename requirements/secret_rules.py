"""Writes til/redaction/secret_rules.json: tokens that have a form of their own, from maintained rules.

`make secret-rules` runs it. It reads the rules of Betterleaks (MIT, the successor of gitleaks) out of the
command `kingfisher`, whose wheel carries them. Left out are other kinds: what is no secret (ids, URLs,
public keys), what only its surroundings tell, and what til/redaction/rules.py finds by rules of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "jobs" / "secret_rules.json"
NO_SECRET = re.compile(
    r"generic|-domain|(?<!webhook)-url|-name(?:\.\d)?$|-host(?:\.\d)?$|-id(?:\.\d)?$|public|posthog-project"
    r"|service-account$|default-credentials|jwt|private-key|curl|uri|connection-string|nuget|kubernetes"
)
BY_SURROUNDINGS = ("=|>|:{1,3}", r"(?:.|[\n\r])", r"[\s\S]", "(?s", "(?P<", "(?x)", r"\z")


def main(kingfisher: str) -> None:
    """Ask the command for its rules and write those that serve here, one a line."""
    listed = subprocess.run(  # noqa: S603 - the command that make has just installed
        [kingfisher, "rules", "list", "--format", "json"], check=True, capture_output=True
    )
    rules = {
        rule["id"].removeprefix("betterleaks."): rule["pattern"]
        for rule in json.loads(listed.stdout)
        if rule["id"].startswith("betterleaks.") and serves(rule["id"], rule["pattern"])
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rules[name])}" for name in sorted(rules))
    OUT.write_text(f"{{\n{lines}\n}}\n")


def serves(name: str, pattern: str) -> bool:
    """Whether the pattern by itself tells a secret."""
    return not NO_SECRET.search(name) and not any(part in pattern for part in BY_SURROUNDINGS)


if __name__ == "__main__":
    main(sys.argv[1])
