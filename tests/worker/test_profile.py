"""Profiles and explicit settings, digests of weights, what is told while an engine loads; without vLLM."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.stack.processes import until
from worker.__main__ import with_profile
from worker.engines.loading import Loading
from worker.engines.profile import BadProfile, names, read
from worker.engines.weights import DIGESTS, digest
from worker.settings import WorkerSettings

SERVERS = {"DATABASE_URL": "postgresql://localhost/til", "REDIS_URL": "redis://localhost"}
L4 = "l4-gemma-3-12b"


def settings(**values: Any) -> WorkerSettings:
    return WorkerSettings.model_validate(SERVERS | values)


def test_the_l4_has_the_profile_that_its_memory_was_computed_for() -> None:
    assert L4 in names()
    assert read(L4) == {
        "model": "ISTA-DASLab/gemma-3-12b-it-GPTQ-4b-128g",
        "dtype": "bfloat16",
        "language_model_only": True,
        "max_model_len": 16384,
        "max_num_seqs": 30,
        "max_num_batched_tokens": 1024,
        "gpu_memory_utilization": 0.92,
        "enable_prefix_caching": True,
        "enable_chunked_prefill": True,
    }


def test_a_profile_wins_over_the_defaults_and_a_setting_over_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('model = "a/b"\nrevision = "abc"\nmax_num_seqs = 12\nstream_interval = 4\nseed = 3\n')
    with_it, arguments = with_profile(settings(profile=str(path), stream_interval=2))
    assert with_it.slots == 12
    assert (arguments["model"], arguments["revision"], arguments["seed"]) == ("a/b", "abc", 3)
    assert (arguments["max_num_seqs"], arguments["stream_interval"]) == (12, 2)
    assert arguments["gpu_memory_utilization"] == 0.92
    explicit, arguments = with_profile(settings(profile=str(path), slots=5, model="c/d"))
    assert (explicit.slots, arguments["max_num_seqs"], arguments["model"]) == (5, 5, "c/d")
    assert "revision" not in arguments


def test_without_a_profile_the_settings_are_the_arguments() -> None:
    made, arguments = with_profile(settings(model="", kv_cache_dtype="fp8"))
    assert made.slots == 30
    assert arguments == {
        "max_num_seqs": 30,
        "gpu_memory_utilization": 0.92,
        "kv_cache_dtype": "fp8",
        "stream_interval": 8,
        "enforce_eager": False,
    }


def test_a_profile_that_is_nowhere_or_no_toml_is_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("max_num_seqs = thirty")
    for name, sentence in (("l5", f"neither a readable .toml file nor {L4}"), (str(broken), "is no TOML")):
        with pytest.raises(BadProfile, match=sentence) as raised:
            read(name)
        assert "\n" not in str(raised.value)


def test_a_worker_with_a_bad_profile_says_so_and_ends() -> None:
    values = os.environ | SERVERS | {"TIL_PROFILE": "l5"}
    done = subprocess.run(
        [sys.executable, "-m", "worker"], env=values, capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["event"]) == (1, "worker_not_started")
    assert told["error"].startswith("TIL_PROFILE is 'l5'")


def weights(folder: Path) -> Path:
    """Two files of weights, as they are saved by everyone."""
    folder.mkdir(parents=True)
    for n in (2, 1):
        (folder / f"model-0000{n}-of-00002.safetensors").write_bytes(f"weights {n}".encode())
    return folder


def expected(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def claim(path: Path, name: str, sha256: str) -> None:
    """Change the remembered digest of a file, so that it shows whether it was hashed again."""
    told = json.loads(path.read_text())
    told["files"][name]["sha256"] = sha256
    path.write_text(json.dumps(told))


def test_the_digest_of_a_folder_is_computed_once_and_again_when_a_file_has_changed(tmp_path: Path) -> None:
    folder = weights(tmp_path / "model")
    assert digest(folder) == expected(folder)
    name = "model-00001-of-00002.safetensors"
    claim(folder / DIGESTS, name, "0" * 64)
    assert digest(folder) != expected(folder)
    (folder / name).write_bytes(b"others, and more")
    assert digest(folder) == expected(folder)


def test_where_a_folder_can_not_be_written_the_digest_is_remembered_elsewhere(tmp_path: Path) -> None:
    folder, cache = weights(tmp_path / "model"), tmp_path / "cache"
    (folder / f"{DIGESTS}.new").mkdir()
    assert digest(folder, cache) == expected(folder)
    assert not (folder / DIGESTS).exists()
    (remembered,) = cache.iterdir()
    claim(remembered, "model-00001-of-00002.safetensors", "0" * 64)
    assert digest(folder, cache) != expected(folder)
    assert digest(folder) == expected(folder)


def test_the_digest_of_a_hub_snapshot_is_read_from_the_names_of_its_blobs(tmp_path: Path) -> None:
    folder = weights(tmp_path / "model")
    snapshot, blobs = tmp_path / "hub" / "snapshots" / "c0ffee", tmp_path / "hub" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in folder.iterdir():
        blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
        blob.write_bytes(b"never read")
        (snapshot / path.name).symlink_to(Path("../../blobs") / blob.name)
    assert digest(snapshot) == expected(folder)
    assert not (snapshot / DIGESTS).exists()


def test_what_is_published_beside_streamed_weights_is_what_their_folder_had(tmp_path: Path) -> None:
    folder, pulled = weights(tmp_path / "model"), tmp_path / "pulled"
    pulled.mkdir()
    assert digest(pulled) is None
    command = [sys.executable, "-m", "worker.engines.weights", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (pulled / DIGESTS).write_bytes((folder / DIGESTS).read_bytes())
    assert done.stdout.strip() == digest(pulled) == expected(folder)
    (pulled / DIGESTS).write_text('{"files": {"a.safetensors": {"sha256": "no digest"}}}')
    assert digest(pulled) is None


def test_loading_reports_its_stage_and_its_seconds() -> None:
    with capture_logs() as logs:
        loading = Loading(weights_bytes=8_400_000_000, every_seconds=0.01)
        with loading.stage("load"):
            until(lambda: any(line["event"] == "engine_loading" for line in logs))
            assert stages() == {"load": 1, "digest": 0, "warm_up": 0, "ready": 0}
            assert seconds("load") > 0
        loading.ready(model="a/b")
    told = next(line for line in logs if line["event"] == "engine_loading")
    assert (told["stage"], told["weights_bytes"]) == ("load", 8_400_000_000)
    assert (stages()["ready"], logs[-1]["event"], logs[-1]["model"]) == (1, "engine_ready", "a/b")
    assert seconds("load") == seconds("load") <= seconds("ready")


def stages() -> dict[str, float]:
    (metric,) = REGISTRY.restricted_registry(["til_engine_load_stage"]).collect()
    return {sample.labels["stage"]: sample.value for sample in metric.samples}


def seconds(stage: str) -> float:
    return REGISTRY.get_sample_value("til_engine_load_seconds", {"stage": stage}) or 0.0
