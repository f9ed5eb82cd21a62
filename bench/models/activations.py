"""Activation functions in one kernel where a library writes them in several."""

from torch import nn
from transformers.activations import NewGELUActivation


def fuse_activations(module: nn.Module) -> None:
    """Let GPT-2's activation be one kernel; it is the same function.

    transformers writes its tanh approximation of GELU as eight operations, each over
    the widest tensor of a block. In one, runs at GPT-2-small's shape take 6 to 16
    percent less time, all that compiling the blocks would give (decision 0013).
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(parent, name, nn.GELU(approximate="tanh"))
