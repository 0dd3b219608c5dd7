"""What the README tells an operator to run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.gce.hcl import GCE, ROOT, parse, plain, read

README = (GCE / "README.md").read_text()
BLOCKS = APPLY, BOOTSTRAP, WEIGHTS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands of a block, one each."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def names(kind: str) -> set[str]:
    return {block.name for block in read(GCE) if block.kind == kind}


def test_it_is_installed_in_under_ten_commands() -> None:
    steps = [line for line in commands(APPLY) if not line.startswith("export ")]
    assert 6 < len(steps) < 10
    assert "gcloud auth configure-docker" in README.split("```sh")[0]
    assert len(commands(BOOTSTRAP)) == 1


@pytest.mark.parametrize("block", BLOCKS)
def test_commands_are_valid_shell(block: str) -> None:
    done = subprocess.run(["bash", "-n"], check=False, input=block, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_images_are_pinned_before_they_are_pushed_with_the_tag_of_the_examples() -> None:
    steps = ("pin.sh", "git commit", "build.sh --push", "gce init", "gce apply")
    order = [APPLY.index(step) for step in steps]
    assert order == sorted(order)
    [tag] = re.findall(r"VERSION=(\S+) deploy/images/build\.sh", APPLY)
    for example in (GCE / "examples").glob("*.tfvars"):
        images = plain(parse(example.read_text())[0].attributes["images"])
        assert {image.split(":")[1].removesuffix("-weights") for image in images.values()} == {tag}
    assert f"til-queue-worker:{tag} " in WEIGHTS


def test_digests_are_published_before_the_upload_to_the_bucket_of_the_example() -> None:
    assert WEIGHTS.index("worker.engines.weights") < WEIGHTS.index("gcloud storage rsync")
    [bucket, folder] = re.findall(r"gs://\$PROJECT-(\S+?)/(\S+)", WEIGHTS)[0]
    [given] = parse((GCE / "examples" / "split.tfvars").read_text())
    project = plain(given.attributes["project"])
    assert plain(given.attributes["model_bucket"]) == f"{project}-{bucket}"
    settings = plain(given.attributes["worker"])["environment"]
    assert settings["TIL_MODEL"] == f"gs://{project}-{bucket}/{folder}"
    profile = (ROOT / "worker" / "profiles" / f"{settings['TIL_PROFILE']}.toml").read_text()
    [model] = re.findall(r"hf download (\S+)", WEIGHTS)
    assert f'model = "{model}"' in profile


def test_what_it_names_is_there() -> None:
    assert set(re.findall(r"\boutput (?:-raw )?(\w+)`", README)) == {"address"} <= names("output")
    said = set(re.findall(r"`(\w+)(?:\.\w+)?`", README)) & (names("variable") | {"model_bucket"})
    assert {"worker", "data", "dns_zone", "hf_token_secret", "model_bucket", "alert_email"} <= said
    fields = str([block.attributes for block in read(GCE) if block.kind == "variable"])
    for variable, field in re.findall(r"`(worker|data)\.(\w+)`", README):
        assert f"{field} = optional" in fields, (variable, field)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", README)]
    assert links
    assert [link for link in links if not (GCE / link).exists()] == []
    scripts = set(re.findall(r"deploy/[\w/]+\.sh", README))
    assert scripts == {"deploy/images/build.sh", "deploy/images/pin.sh"}
    assert [path for path in scripts if not (ROOT / path).exists()] == []


def test_git_ignores_what_is_an_operators_own(tmp_path: Path) -> None:
    ignored = ["terraform.tfvars", "other.tfvars", ".terraform/x", "terraform.tfstate", "a.tfstate.backup"]
    kept = ["examples/new.tfvars", ".terraform.lock.hcl", "main.tf"]
    shutil.copy(GCE / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q"], check=True, cwd=tmp_path)
    done = subprocess.run(
        ["git", "check-ignore", *ignored, *kept], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == ignored
