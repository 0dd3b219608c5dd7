"""Where vLLM loads a model from: a folder, the hub at one commit, or object storage."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from vllm.config import ModelConfig
from vllm.transformers_utils.repo_utils import resolve_revision
from vllm.transformers_utils.runai_utils import is_runai_obj_uri

from worker.engines import EngineFailed
from worker.engines.weights import weight_files

STREAMER = "runai_model_streamer"
log = structlog.get_logger()


@dataclass(frozen=True)
class Source:
    """`name`: for provenance; `arguments`: for vLLM; `folder`: where it lies; None if it is streamed."""

    name: str
    arguments: dict[str, Any]
    folder: Path | None = None

    def weights_bytes(self) -> int | None:
        """The size of the weights; None if they are not on this machine yet."""
        files = weight_files(self.folder) if self.folder else []
        return sum(path.stat().st_size for path in files) or None

    def loaded_folder(self, config: ModelConfig) -> Path:
        """The folder of the weights or, of streamed ones, of the small files beside them."""
        return self.folder or Path(config.model)


def source_of(model: str, revision: str | None, download_dir: str | None = None) -> Source:
    """The source of TIL_MODEL and TIL_MODEL_REVISION. Raises EngineFailed if they contradict each other."""
    if is_runai_obj_uri(model):
        _refuse(revision, "an address in object storage")
        if find_spec(STREAMER) is None:
            raise EngineFailed(f"TIL_MODEL is {model}, but runai-model-streamer is not installed here.")
        return streamed(model)
    if Path(model).exists():
        _refuse(revision, "a folder")
        return Source(model, {"model": model}, Path(model))
    return from_hub(model, revision, download_dir)


def streamed(uri: str) -> Source:
    """Weights that Run:ai's streamer reads straight from gs:// or s3:// into the GPU."""
    return Source(uri, {"model": uri, "load_format": "runai_streamer"})


def from_hub(model: str, revision: str | None, download_dir: str | None) -> Source:
    """One commit of a hub id, the same for config, tokenizer and weights even if a branch moves meanwhile."""
    resolved = resolve_revision(model, revision)
    commit = getattr(resolved, "resolved", None)
    if commit is None:
        asked = f" at {revision}" if revision else ""
        raise EngineFailed(f"TIL_MODEL is {model}{asked}, which is no folder and isn't found on the hub.")
    if revision != commit:
        log.warning(
            "model_not_pinned", model=model, revision=revision, commit=commit, set="TIL_MODEL_REVISION"
        )
    cache = Path(download_dir or constants.HF_HUB_CACHE)
    folder = cache / repo_folder_name(repo_id=model, repo_type="model") / "snapshots" / commit
    return Source(f"{model}@{commit}", {"model": model, "revision": commit}, folder)


def _refuse(revision: str | None, kind: str) -> None:
    if revision:
        raise EngineFailed(f"TIL_MODEL_REVISION is for a hub id, but TIL_MODEL is {kind}.")
