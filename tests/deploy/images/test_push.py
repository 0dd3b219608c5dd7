"""build.sh --push: what it refuses before it builds anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.deploy.images.scripts import FOLDER, build, commit, fake_docker, remove_digest

DIGEST = f"sha256:{'cd' * 32}"
IMAGES = [f"{FOLDER}/til-queue-{name}:1" for name in ("api", "worker")]
OPERATORS_FILES = {
    "deploy/gce/.terraform/providers/google": "",
    "deploy/gce/.terraform.lock.hcl": "",
    "deploy/gce/terraform.tfvars": "",
    "my.tfvars": "",
    "cluster.yaml": "",
    ".env": "",
    "api/__pycache__/app.pyc": "",
    "api/local.env": "",
    "weights/model.safetensors": "",
}
"""What the READMEs of deploy/ make in the checkout, and what .dockerignore keeps out of the context."""


@pytest.fixture
def pinned(checkout: Path) -> Path:
    """Every base with a digest."""
    lock = checkout / "deploy" / "images" / "bases.lock"
    lines = lock.read_text().splitlines()
    lock.write_text(
        "".join(f"{line}{'' if '@' in line or ' ' in line else '@' + DIGEST}\n" for line in lines)
    )
    commit(checkout)
    return checkout


def push(checkout: Path, folder: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    """With a fake docker; the second value is the calls that it got."""
    calls = folder / "calls"
    calls.touch()
    path = fake_docker(folder / "bin", f'echo "$*" >>{calls}; [ "$2" = build ] || echo {DIGEST}')
    return build(checkout, "--push", FOLDER, PATH=path, VERSION="1"), calls.read_text()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_files_of_operators_do_not_hinder_a_push(pinned: Path, tmp_path: Path) -> None:
    write(pinned, OPERATORS_FILES)
    done, calls = push(pinned, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{image}@{DIGEST}" for image in IMAGES]
    assert [line.split()[1] for line in calls.splitlines()] == ["build", "imagetools"] * 2


@pytest.mark.parametrize(
    "name",
    [
        "docker-compose.yml",
        "api/app.py",
        "api/new.py",
        "worker/new.toml",
        "til/dist/left.py",
        "pyproject.toml",
    ],
)
def test_what_would_enter_an_image_without_a_commit_is_refused(
    pinned: Path, tmp_path: Path, name: str
) -> None:
    """Tracked files that changed, and new files in the build context, also if git ignores them."""
    write(pinned, OPERATORS_FILES | {name: "changed"})
    done, calls = push(pinned, tmp_path)
    assert (done.returncode, done.stdout, calls) == (1, "", "")
    said, *names = done.stderr.splitlines()
    assert "commit these first" in said
    assert names == [name]


def test_nothing_is_built_if_one_base_has_no_digest(pinned: Path, tmp_path: Path) -> None:
    remove_digest(pinned, "vllm/vllm-openai:v0.32.0")
    commit(pinned)
    done, calls = push(pinned, tmp_path)
    assert (done.returncode, done.stdout, calls) == (1, "", "")
    assert "v0.32.0 has no digest yet: run deploy/images/pin.sh" in done.stderr
