"""The known architectures."""

from bench.errors import UserError
from bench.models.architectures.architecture import Architecture
from bench.models.architectures.gemma2 import GEMMA2
from bench.models.architectures.gpt2 import GPT2
from bench.models.architectures.gpt_neox import GPT_NEOX
from bench.models.architectures.llama import LLAMA
from bench.models.architectures.qwen import QWEN2, QWEN3

KNOWN: dict[str, Architecture] = {
    architecture.model_type: architecture
    for architecture in (GPT2, LLAMA, GEMMA2, GPT_NEOX, QWEN2, QWEN3)
}


def find_architecture(model_type: str) -> Architecture:
    """Return where the sections of a model type are.

    Raises:
        UserError: The model type is not known.
    """
    if model_type not in KNOWN:
        raise UserError(
            f"Models of type '{model_type}' are not known. Known: "
            f"{', '.join(sorted(KNOWN))}. To add one, write a module beside "
            "bench/models/architectures/llama.py and list it in registry.py; the "
            "contract tests in tests/contracts/test_architectures.py check it."
        )
    return KNOWN[model_type]
