"""What a model's files may say: nothing sends the loader to files of another kind."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME

from bench.errors import FileFormatError

REFUSED_KEYS = {
    "transformers_weights": "names other weights",
    "configuration_files": "names other configurations",
    "quantization_config": "asks for quantised weights; models are measured in float32",
}
ADAPTER = "adapter_config.json"
PLAIN_NAME = re.compile(r"[^/\\]+\.safetensors")


def check_files(folder: Path, *, name: str) -> None:
    """Refuse files that point elsewhere: transformers would follow, pickles included.

    Args:
        folder: Where the files are.
        name: What the model is called in the message.

    Raises:
        FileFormatError: The message lists every problem.
    """
    problems = [*_configuration(folder), *_index(folder)]
    if (folder / ADAPTER).exists():
        problems.append(f"{ADAPTER} adds other weights")
    if problems:
        raise FileFormatError(
            f"The model '{name}' is not loaded from its own safetensors alone: "
            f"{'; '.join(problems)}. Load it where you trust it and write it with "
            "save_pretrained."
        )


def _configuration(folder: Path) -> Iterator[str]:
    found = _parsed(folder / CONFIG_NAME)
    for key, meaning in REFUSED_KEYS.items():
        if isinstance(found, dict) and found.get(key) is not None:
            yield f"'{key}' in {CONFIG_NAME} {meaning}"


def _index(folder: Path) -> Iterator[str]:
    path = folder / SAFE_WEIGHTS_INDEX_NAME
    if not path.exists():
        return
    found = _parsed(path)
    files = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(files, dict) or not files:
        yield f"{path.name} has no weight_map"
        return
    for file in sorted({str(value) for value in files.values()}):
        if not PLAIN_NAME.fullmatch(file):
            yield f"{path.name} names '{file}', which is no safetensors file beside it"


def _parsed(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none, which the loader reports."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
