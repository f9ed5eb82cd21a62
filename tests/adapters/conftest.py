"""What a foreign library must not leave behind."""

from collections.abc import Callable, Sized

import pytest
from torch import nn

from bench.methods.context import TaskContext
from bench.methods.protocol import Method
from bench.models.subject import SubjectModel
from bench.profiles.attribution import LayerAttribution


def hooks(module: nn.Module) -> list[Sized]:
    """List what is called when a module runs, or its gradients do."""
    return [module._forward_hooks, module._forward_pre_hooks, module._backward_hooks]


def snapshot(model: SubjectModel) -> list[tuple[object, ...]]:
    """List what a library could change about each module, and the weights."""
    modules = [
        (id(m), type(m), m.training, sorted(vars(m)), *map(len, hooks(m)))
        for m in model.module.modules()
    ]
    weights = [
        (id(p), p.requires_grad, p.grad is None, p.double().sum().item())
        for p in model.module.parameters()
    ]
    return [*modules, *weights, (model.module.config._attn_implementation,)]


@pytest.fixture
def unchanged(
    tiny_context: TaskContext,
) -> Callable[[Method], LayerAttribution]:
    """Run a method, and insist that the model is afterwards what it was."""

    def run(method: Method) -> LayerAttribution:
        before = snapshot(tiny_context.subject)
        answer = method(tiny_context)
        assert snapshot(tiny_context.subject) == before
        return answer

    return run
