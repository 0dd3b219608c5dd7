"""build.sh and pin.sh: their commands and their errors."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.images.scripts import FOLDER, ROOT, build, commit, fake_docker, git

VLLM = "vllm/vllm-openai:v0.32.0"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PYTHON_BASE = next(
    line
    for line in (ROOT / "deploy" / "images" / "bases.lock").read_text().splitlines()
    if line.startswith("python:")
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


def test_the_tag_is_the_version_or_what_git_describes(checkout: Path) -> None:
    (api,) = commands(build(checkout, "--dry-run", "--push", FOLDER, "api"))
    assert f"{FOLDER}/til-queue-api:{git(checkout, 'rev-parse', '--short', 'HEAD')}" in api
    assert api[-2:] == ["--push", "."]
    git(checkout, "tag", "v1.2.3")
    (api,) = commands(build(checkout, "--dry-run", FOLDER, "api"))
    assert f"{FOLDER}/til-queue-api:v1.2.3" in api
    (api,) = commands(build(checkout, "--dry-run", FOLDER, "api", VERSION="0.1.0"))
    assert f"{FOLDER}/til-queue-api:0.1.0" in api
    assert "VERSION is not an image tag" in build(checkout, "--dry-run", FOLDER, VERSION="a/b").stderr


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
    ],
)
def test_invalid_arguments_are_refused(checkout: Path, arguments: list[str], message: str) -> None:
    done = build(checkout, "--dry-run", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_pin_writes_the_digest_wherever_the_image_is_named(checkout: Path, tmp_path: Path) -> None:
    """With a fake docker that prints a digest."""
    digest = f"sha256:{'ab' * 32}"
    path = fake_docker(tmp_path / "bin", f"echo {digest}")
    pin = [str(checkout / "deploy" / "images" / "pin.sh"), VLLM, "postgres:18"]
    subprocess.run(pin, env={"PATH": path}, check=True, capture_output=True)
    lock = (checkout / "deploy" / "images" / "bases.lock").read_text().splitlines()
    assert f"{VLLM}@{digest}" in lock
    worker = (checkout / "deploy" / "images" / "worker.Dockerfile").read_text()
    assert f"ARG BASE={VLLM}@{digest}\n" in worker
    assert f"    image: postgres:18@{digest}\n" in (checkout / "deploy" / "compose" / "data.yml").read_text()
    assert PYTHON_BASE in lock
    commit(checkout)
    (command,) = commands(build(checkout, "--dry-run", "--push", FOLDER, "worker"))
    assert f"BASE={VLLM}@{digest}" in command
