from collections.abc import Callable

import pytest

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.modes import read_modes, set_modes
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
        ("ctx.model.lm_head.weight.data[:] = 0", "weights"),
        ("next(ctx.model.buffers()).mul_(0)", "buffers"),
        ("ctx.model.model.norm.variance_epsilon = 1.0", "attributes of modules"),
        ("ctx.model.lm_head.forward = lambda x: x", "attributes of modules"),
        ("ctx.model.config.rms_norm_eps = 1.0", "the configuration"),
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


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("torch.set_grad_enabled(False)", "torch's gradient mode"),
        ("torch.set_default_dtype(torch.float64)", "torch's default type"),
        (
            "torch.set_float32_matmul_precision('medium')",
            "torch's precision of products",
        ),
    ],
)
@pytest.mark.parametrize("ending", [ANSWER, "raise ValueError('no')"])
def test_modes_are_watched_and_restored(
    own_context: TaskContext,
    find_trial: Callable[..., FoundMethod],
    line: str,
    named: str,
    ending: str,
) -> None:
    """A method may not change what torch does for those after it, nor if it fails."""
    before = read_modes()
    message = named if ending == ANSWER else "raised ValueError: no"
    try:
        with pytest.raises(MethodFailedError, match=message):
            run_method(find_trial(line, ending), own_context)
        assert read_modes() == before
    finally:
        set_modes(before)


def test_hooks_on_all_modules_are_refused_and_removed(
    own_context: TaskContext, find_trial: Callable[..., FoundMethod]
) -> None:
    """They reach every model, so they do not stay for the next method either."""
    from torch.nn.modules import module

    line = "torch.nn.modules.module.register_module_forward_hook(lambda *_: None)"
    with pytest.raises(MethodFailedError, match="hooks on all modules"):
        run_method(find_trial(line, ANSWER), own_context)
    assert not module._global_forward_hooks
    with pytest.raises(MethodFailedError, match="raised ZeroDivisionError"):
        run_method(find_trial(line, "1 / 0"), own_context)
    assert not module._global_forward_hooks


def test_what_is_undone_is_allowed(
    own_context: TaskContext, find_trial: Callable[..., FoundMethod]
) -> None:
    """Hooks that are removed and modes that are restored leave no trace."""
    found = find_trial(
        "handle = ctx.model.lm_head.register_forward_hook(lambda *_: None)",
        "ctx.trace(ctx.prompts.clean)",
        "handle.remove()",
        "ctx.model.train(); ctx.model.eval()",
        "weight = ctx.model.lm_head.weight",
        "old = weight.detach().clone()",
        "with torch.no_grad(): weight.zero_(); weight.copy_(old)",
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
