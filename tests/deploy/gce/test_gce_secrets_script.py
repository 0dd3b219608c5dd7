"""Runs secrets.sh against a metadata server and a Secret Manager on the loopback address."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.deploy.gce.rendering import FILES

TOKEN = "token-of-the-machine"
VALUES = {"til-database-url": "postgresql://til:pw@10.0.0.3:5432/til\n", "til-empty": ""}


class Google(BaseHTTPRequestHandler):
    """Serves tokens, and secrets to requests with the token."""

    def do_GET(self) -> None:
        """Respond as Google's servers do."""
        secret = self.path.split("/secrets/")[-1].split("/versions/")[0]
        if self.path.endswith("/token") and self.headers["Metadata-Flavor"] == "Google":
            self._answer({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
        elif self.headers["Authorization"] == f"Bearer {TOKEN}" and secret in VALUES:
            data = base64.b64encode(VALUES[secret].encode()).decode()
            self._answer({"name": self.path, "payload": {"data": data, "dataCrc32c": "1"}})
        else:
            self.send_error(403)

    def _answer(self, body: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body, indent=2).encode())

    def log_message(self, *_: object) -> None:
        """No log."""


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Google) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(google: str, folder: Path, *pairs: str) -> subprocess.CompletedProcess[str]:
    """Run the script with local addresses, another folder and the present user."""
    text = (FILES / "secrets.sh").read_text()
    for old, new in {
        "http://metadata.google.internal": google,
        "https://secretmanager.googleapis.com": google,
        "/run/til/secrets": str(folder / "secrets"),
        "mktemp -p /run": f"mktemp -p {folder}",
        "--retry 10": "--retry 0",
        "-m 0500 -o 10001 -g 10001": "-m 0700",
        "-o 10001 -g 10001": f"-o {os.getuid()} -g {os.getgid()}",
        "-m 0400": "-m 0600",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return subprocess.run(
        ["bash", "-s", "project", *pairs], check=False, input=text, capture_output=True, text=True, timeout=30
    )


def test_each_secret_becomes_a_private_file(google: str, tmp_path: Path) -> None:
    done = run(google, tmp_path, "til-database-url=database-url")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "secrets" / "database-url"
    assert file.read_text() == VALUES["til-database-url"]
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secrets"]


@pytest.mark.parametrize("secret", ["til-unknown", "til-empty"])
def test_a_missing_or_empty_secret_fails_without_printing_values(
    google: str, tmp_path: Path, secret: str
) -> None:
    done = run(google, tmp_path, "til-database-url=database-url", f"{secret}=other")
    assert done.returncode != 0
    assert not (tmp_path / "secrets" / "other").exists()
    for word in (TOKEN, "postgresql://"):
        assert word not in done.stdout + done.stderr
