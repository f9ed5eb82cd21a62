from collections.abc import Callable

import pytest

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.subject import SubjectModel

ANSWER = "return LayerAttribution(np.arange(4.0))"


@pytest.fixture
def own_context(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> TaskContext:
    """A context whose model may be spoilt."""
    return make_context(make_model())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("ctx.model.train()", "training mode"),
        ("ctx.model.lm_head.register_forward_hook(print)", "hooks"),
        ("ctx.model.lm_head.register_forward_pre_hook(print)", "hooks"),
        ("ctx.model.lm_head.register_full_backward_hook(print)", "hooks"),
        ("ctx.model.lm_head.weight.mul_(2)", "weights"),
        ("ctx.model.half()", "weights"),
        ("ctx.model.lm_head.weight.data = torch.zeros(40, 16)", "weights"),
        ("ctx.model.model.norm = torch.nn.Identity()", "modules"),
        ("ctx.model.requires_grad_(True)", "gradients"),
        ("ctx.model.set_attn_implementation('sdpa')", "the attention function"),
    ],
)
def test_changes_to_the_model_are_refused(
    own_context: TaskContext,
    find_trial: Callable[..., FoundMethod],
    line: str,
    named: str,
) -> None:
    """Whatever a method leaves changed is named, and its answer is not taken."""
    with pytest.raises(MethodFailedError, match=f"left the model changed.*{named}"):
        run_method(find_trial(line, ANSWER), own_context)


def test_gradient_mode_is_watched(
    own_context: TaskContext, find_trial: Callable[..., FoundMethod]
) -> None:
    """A method may not switch gradients off for those after it."""
    import torch

    try:
        with pytest.raises(MethodFailedError, match="torch's gradient mode"):
            run_method(find_trial("torch.set_grad_enabled(False)", ANSWER), own_context)
    finally:
        torch.set_grad_enabled(True)


def test_what_is_undone_is_allowed(
    own_context: TaskContext, find_trial: Callable[..., FoundMethod]
) -> None:
    """Hooks that are removed and modes that are restored leave no trace."""
    found = find_trial(
        "handle = ctx.model.lm_head.register_forward_hook(lambda *_: None)",
        "ctx.trace(ctx.prompts.clean)",
        "handle.remove()",
        "ctx.model.train(); ctx.model.eval()",
        ANSWER,
    )

    assert run_method(found, own_context)[0].values.tolist() == [0, 1, 2, 3]


def test_model_in_training_mode_is_refused(
    own_context: TaskContext, find_trial: Callable[..., FoundMethod]
) -> None:
    """Dropout would make every number random, so nothing runs."""
    own_context.model.train()

    with pytest.raises(MethodFailedError, match="The model is in training mode"):
        run_method(find_trial(ANSWER), own_context)
