"""Downloads a model's weights from the Hugging Face hub: `download.py org/name COMMIT FOLDER`."""

import re
import shutil
import sys
from pathlib import Path

OTHER_FORMATS = ["*.bin", "*.pth", "*.gguf", "*.h5", "*.msgpack", "*.onnx", "original/*"]


def main() -> None:
    """Exits with a message if the model or its commit is missing."""
    model, revision, folder = sys.argv[1:]
    if not model or not re.fullmatch("[0-9a-f]{40}", revision):
        sys.exit("Set the build arguments MODEL (org/name) and MODEL_REVISION (a commit, 40 hex digits).")
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only in vLLM's image

    snapshot_download(model, revision=revision, local_dir=folder, ignore_patterns=OTHER_FORMATS)
    shutil.rmtree(Path(folder) / ".cache", ignore_errors=True)


if __name__ == "__main__":
    main()
