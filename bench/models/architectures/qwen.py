"""Qwen 2, 2.5 and 3: Llama's blocks, with biases (2) or normed queries and keys (3)."""

from dataclasses import replace

from bench.models.architectures.llama import LLAMA

QWEN2 = replace(LLAMA, model_type="qwen2")
QWEN3 = replace(LLAMA, model_type="qwen3")
