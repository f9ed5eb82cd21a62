"""The known architectures."""

from bench.errors import UserError
from bench.models.architectures.architecture import Architecture
from bench.models.architectures.llama import LLAMA

KNOWN: dict[str, Architecture] = {
    architecture.model_type: architecture for architecture in (LLAMA,)
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
