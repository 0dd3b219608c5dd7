"""build.sh and pin.sh: their commands and their errors."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = "europe-west4-docker.pkg.dev/my-project/til"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PYTHON_BASE = next(
    line
    for line in (ROOT / "deploy" / "images" / "bases.lock").read_text().splitlines()
    if line.startswith("python:")
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A new repository with the files that the scripts read, all committed."""
    made = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy" / "images", made / "deploy" / "images")
    shutil.copytree(ROOT / "deploy" / "compose", made / "deploy" / "compose")
    shutil.copy(ROOT / "docker-compose.yml", made)
    git(made, "init", "-q")
    git(made, "add", ".")
    git(made, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "a")
    return made


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def build(checkout: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["deploy/images/build.sh", *arguments],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **values},
        check=False,
        capture_output=True,
        text=True,
    )


def commands(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    assert (done.returncode, done.stderr) == (0, "")
    return [shlex.split(line) for line in done.stdout.splitlines()]


def test_a_dry_run_prints_one_command_for_each_image(checkout: Path) -> None:
    api, worker = commands(build(checkout, "--dry-run", FOLDER, VERSION="1.2.3"))
    assert api == [
        *("docker", "buildx", "build", "--platform", "linux/amd64"),
        *("--file", "deploy/images/api.Dockerfile", "--build-arg", f"BASE={PYTHON_BASE}"),
        *("--build-arg", "VERSION=1.2.3", "--build-arg", f"REVISION={git(checkout, 'rev-parse', 'HEAD')}"),
        *("--tag", f"{FOLDER}/til-queue-api:1.2.3", "."),
    ]
    assert worker[worker.index("--target") + 1] == "worker"
    assert worker[worker.index("--tag") + 1] == f"{FOLDER}/til-queue-worker:1.2.3"


def test_the_version_is_that_of_git_unless_given(checkout: Path) -> None:
    (api,) = commands(build(checkout, "--dry-run", "--push", FOLDER, "api"))
    assert f"{FOLDER}/til-queue-api:{git(checkout, 'describe', '--always')}" in api
    assert api[-2:] == ["--push", "."]


def test_weights_are_downloaded_at_a_commit_or_taken_from_a_folder(checkout: Path, tmp_path: Path) -> None:
    image = ("--dry-run", FOLDER, "worker-with-weights")
    values = {"MODEL": "org/name", "MODEL_REVISION": COMMIT, "VERSION": "1", "HF_TOKEN_FILE": "token"}
    (downloaded,) = commands(build(checkout, *image, **values))
    assert {"MODEL=org/name", f"MODEL_REVISION={COMMIT}", "id=hf_token,src=token"} <= set(downloaded)
    assert f"{FOLDER}/til-queue-worker:1-weights" in downloaded
    assert "folder weights" in build(checkout, *image, WEIGHTS="folder").stderr
    (checkout / "weights").mkdir()
    (taken,) = commands(build(checkout, *image, WEIGHTS="folder"))
    assert "WEIGHTS=folder" in taken


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name an Artifact Registry repository"),
        (["docker.io/me/til"], "name an Artifact Registry repository"),
        (["europe-west4-docker.pkg.dev/project"], "name an Artifact Registry repository"),
        (["--fast", FOLDER], "unknown option --fast"),
        ([FOLDER, "flower"], "unknown image flower"),
        ([FOLDER, "worker-with-weights"], "needs MODEL (org/name) and MODEL_REVISION (a commit"),
        (
            ["--push", FOLDER, "worker"],
            "v0.32.0 has no digest yet: run deploy/images/pin.sh",
        ),
    ],
)
def test_invalid_arguments_are_refused(checkout: Path, arguments: list[str], message: str) -> None:
    done = build(checkout, "--dry-run", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_uncommitted_changes_are_not_pushed(checkout: Path) -> None:
    (checkout / "new.txt").write_text("x")
    done = build(checkout, "--push", FOLDER)
    assert done.returncode == 1
    assert "commit your changes first" in done.stderr


def test_pin_writes_the_digest_wherever_the_image_is_named(checkout: Path, tmp_path: Path) -> None:
    """With a fake docker that prints a digest."""
    digest = f"sha256:{'ab' * 32}"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho {digest}\n")
    docker.chmod(0o755)
    pin = [
        str(checkout / "deploy" / "images" / "pin.sh"),
        "vllm/vllm-openai:v0.32.0",
        "postgres:18",
    ]
    values = {"PATH": f"{docker.parent}:{os.environ['PATH']}"}
    subprocess.run(pin, env=values, check=True, capture_output=True)
    lock = (checkout / "deploy" / "images" / "bases.lock").read_text().splitlines()
    assert f"vllm/vllm-openai:v0.32.0@{digest}" in lock
    worker = (checkout / "deploy" / "images" / "worker.Dockerfile").read_text()
    assert f"ARG BASE=vllm/vllm-openai:v0.32.0@{digest}\n" in worker
    assert f"    image: postgres:18@{digest}\n" in (checkout / "docker-compose.yml").read_text()
    assert PYTHON_BASE in lock
    git(checkout, "add", ".")
    git(checkout, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "pinned")
    (command,) = commands(build(checkout, "--dry-run", "--push", FOLDER, "worker"))
    assert f"BASE=vllm/vllm-openai:v0.32.0@{digest}" in command
