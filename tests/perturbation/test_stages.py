from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bench.models.behaviour import centred_logit, half_losses
from bench.models.subject import SubjectModel
from bench.perturbation.direction import draw_directions
from bench.perturbation.layout import Bench, lay_out, no_progress
from bench.perturbation.readout import READOUTS
from bench.perturbation.replacements import (
    clean_writes,
    given,
    mean_of_others,
    resampled,
)
from bench.perturbation.stages import (
    ablated_signatures,
    full_response,
    plain_behaviour,
    strength_sweep,
)
from bench.tasks.prompts import Prompt
from tests.perturbation.whole import whole_response


class Calls(list[tuple[int, int]]):
    """Remembers what a stage reported."""

    def __call__(self, done: int, total: int) -> None:
        """Remember one report."""
        self.append((done, total))

    def reach_the_end(self, total: int) -> bool:
        """Whether every report is further than the one before, the last at the end."""
        done = [report for report, _ in self]
        return (
            all(a < b for a, b in pairwise([0, *done]))
            and done[-1] == total
            and {of for _, of in self} == {total}
        )


def test_both_prompt_sets_are_perturbed_alike(
    laid_out: Bench, few_prompts: tuple[Prompt, ...]
) -> None:
    """Repeated and control prompts share sources, tokens and directions."""
    assert_close(laid_out.repeated.tangents, laid_out.control.tangents)
    assert laid_out.repeated.ids.tolist() == [list(p.input_ids) for p in few_prompts]
    assert laid_out.control.ids.tolist() == [list(p.control_ids) for p in few_prompts]
    assert not laid_out.control.embeddings.equal(laid_out.repeated.embeddings)


def test_chunks_cover_all_prompts(laid_out: Bench) -> None:
    """Chunks of two cover three prompts once each; each reports its steps."""
    calls = Calls()

    def work(prompts: slice, step: Callable[[int], None]) -> list[int]:
        step(1)
        step(1)
        return list(range(3)[prompts])

    found = laid_out.by_chunks(work, steps=2, progress=calls)

    assert found == [[0, 1], [2]]
    assert calls == [(2, 6), (4, 6), (5, 6), (6, 6)]


def test_chunks_shrink_when_memory_runs_out(laid_out: Bench) -> None:
    """The same work is done on fewer prompts, and progress tells the truth."""
    calls = Calls()

    def work(prompts: slice, step: Callable[[int], None]) -> list[int]:
        if prompts.stop - prompts.start > 1:
            raise torch.OutOfMemoryError
        step(1)
        return list(range(3)[prompts])

    assert laid_out.by_chunks(work, steps=1, progress=calls) == [[0], [1], [2]]
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_chunk_size_does_not_change_results(
    tiny_model: SubjectModel, few_prompts: tuple[Prompt, ...]
) -> None:
    """Measuring prompts one by one, in pairs or all at once is the same."""
    found = []
    for chunk in (1, 2, 8):
        bench = lay_out(tiny_model, few_prompts, seed=0, chunk=chunk)
        arrays = full_response(bench, strength=0.01, progress=no_progress)
        sweep = strength_sweep(bench, [0.01, None], progress=no_progress)
        ablated = ablated_signatures(
            bench,
            resampled(bench),
            strength=0.01,
            progress=no_progress,
        )
        found.append(arrays | sweep | ablated)
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for key, values in found[0].items():
            assert np.abs(values).max() > 0.01
            np.testing.assert_allclose(other[key], values, rtol=1e-3, atol=1e-3)


def test_sweep_averages_the_copy_response(laid_out: Bench) -> None:
    """Each strength's row is the copy sites' response, over probes and prompts."""
    calls = Calls()
    strengths = [0.1, 0.01, None]
    found = strength_sweep(laid_out, strengths, progress=calls)["copy_response"]

    assert found.shape == (3, 5)
    assert calls.reach_the_end(3 * 3)
    for row, strength in enumerate(strengths):
        response = whole_response(laid_out.model, laid_out.repeated, strength=strength)
        # source k = 2..8 is row k - 2, its copy site 8 + k - 1
        total = [
            response.relative[p, k - 2, :, 8 + k - 1]
            for p in range(3)
            for k in range(2, 9)
        ]
        expected = torch.stack(total).double().mean(dim=0)
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_full_response_by_loops(
    laid_out: Bench, few_prompts: tuple[Prompt, ...]
) -> None:
    """Every field's readouts are means over the probes' pairs, prompt by prompt."""
    calls = Calls()
    found = full_response(laid_out, strength=0.01, progress=calls)

    assert calls.reach_the_end(2 * 3)
    for name in ("repeated", "control"):
        response = whole_response(
            laid_out.model, getattr(laid_out, name), strength=0.01
        )
        np.testing.assert_allclose(
            found[f"{name}_mean_relative"],
            response.relative.mean(dim=0),
            rtol=1e-4,
            atol=1e-4,
        )
        for field in ("relative", "raw", "gain", "additive"):
            values = getattr(response, field).double().numpy()
            for p, prompt in enumerate(few_prompts):
                row = {j: n for n, j in enumerate(prompt.perturbed)}
                copy, control = (
                    found[f"{name}_{field}"][p, READOUTS.index(readout)]
                    for readout in ("copy", "control")
                )
                at_copy = [values[p, row[b.source], :, b.site] for b in prompt.probes]
                at_controls = [
                    np.mean([values[p, row[j], :, i] for j, i in b.controls], axis=0)
                    for b in prompt.probes
                ]
                np.testing.assert_allclose(
                    copy, np.mean(at_copy, axis=0), rtol=1e-3, atol=1e-3
                )
                np.testing.assert_allclose(
                    control, np.mean(at_controls, axis=0), rtol=1e-3, atol=1e-3
                )


@pytest.mark.parametrize("section", [0, 3])
def test_ablated_signature_by_naive_loops(
    laid_out: Bench,
    few_prompts: tuple[Prompt, ...],
    naive_response: Callable,
    section: int,
) -> None:
    """The final signature under ablation equals plain runs, pair by pair."""
    strength = 0.05
    calls = Calls()
    values = clean_writes(laid_out).roll(-1, dims=1)
    found = ablated_signatures(
        laid_out, resampled(laid_out), strength=strength, progress=calls
    )
    directions = draw_directions(few_prompts, seed=0, device=torch.device("cpu"))

    assert calls.reach_the_end(2 * laid_out.repeated.n_sources * 3)
    excess = []
    for ids in (few_prompts[1].input_ids, few_prompts[1].control_ids):
        per_probe = []
        for j, probe in enumerate(few_prompts[1].probes):
            final = naive_response(
                laid_out.model,
                torch.tensor(ids),
                source=probe.source,
                other=int(directions.other_tokens[1, j]),
                strength=strength,
                replaced={section: values[section, 1]},
            ).relative[-1]
            controls = [float(final[site]) for _, site in probe.controls]
            per_probe.append(float(final[probe.site]) - float(np.mean(controls)))
        excess.append(np.mean(per_probe))
    assert abs(excess[0] - excess[1]) > 1e-3
    assert found["signature"][1, section] == pytest.approx(
        excess[0] - excess[1], abs=1e-4
    )


def test_ablated_logit_by_plain_hooks(laid_out: Bench) -> None:
    """The centred logit under ablation equals that of a hooked plain forward."""
    values = clean_writes(laid_out) + 0.5
    found = ablated_signatures(
        laid_out, given(values), strength=0.01, progress=no_progress
    )["logit"]

    for section, module in enumerate(laid_out.model.section_modules):
        value = values[section]
        handle = module.register_forward_hook(lambda _m, _i, _o, v=value: v)
        with torch.no_grad():
            logits = laid_out.model.module(laid_out.batch.clean).logits
        handle.remove()
        np.testing.assert_allclose(
            found[:, section], centred_logit(logits, laid_out.batch), atol=1e-5
        )
    assert np.ptp(found, axis=1).min() > 0.1


def test_ablating_with_the_own_write_changes_nothing(laid_out: Bench) -> None:
    """Replacing each repeated prompt's writes by its own leaves its logit alone."""
    found = ablated_signatures(
        laid_out, given(clean_writes(laid_out)), strength=0.01, progress=no_progress
    )
    plain = plain_behaviour(laid_out, progress=no_progress)["logit"]

    np.testing.assert_allclose(found["logit"], plain[:, None] * np.ones(4), atol=1e-5)


def test_control_prompts_get_their_repeated_prompts_writes(laid_out: Bench) -> None:
    """Other control prompts change the ablated signature, other ids alone do not."""
    swapped = replace(laid_out, control=laid_out.repeated)
    found = ablated_signatures(
        swapped, resampled(laid_out), strength=0.01, progress=no_progress
    )

    np.testing.assert_array_equal(found["signature"], np.zeros((3, 4)))


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_replacements_by_loop(laid_out: Bench, chunk: int) -> None:
    """Both equal loops over sections and prompts, however prompts come."""
    bench = replace(laid_out, chunk=chunk)
    writes = clean_writes(bench)
    rows = [slice(first, first + chunk) for first in range(0, 3, chunk)]
    means, others, later = (
        torch.cat([found(part) for part in rows], dim=1)
        for found in (
            mean_of_others(bench),
            resampled(bench),
            resampled(bench, shift=2),
        )
    )

    assert (writes[:, 0] - writes[:, 1]).abs().max() > 0.1
    for s in range(4):
        for p in range(3):
            one, two = writes[s, (p + 1) % 3], writes[s, (p + 2) % 3]
            assert_close(means[s, p], (one + two) / 2, rtol=1e-4, atol=1e-5)
            assert_close(others[s, p], one, rtol=1e-4, atol=1e-5)
            assert_close(later[s, p], two, rtol=1e-4, atol=1e-5)


def test_clean_writes_are_the_projections_outputs(laid_out: Bench) -> None:
    """Clean writes equal what plain hooks see on the repeated prompts."""
    seen = []
    handles = [
        module.register_forward_hook(lambda _m, _i, output: seen.append(output))
        for module in laid_out.model.section_modules
    ]
    with torch.no_grad():
        laid_out.model.module(laid_out.batch.clean)
    for handle in handles:
        handle.remove()

    assert_close(clean_writes(laid_out), torch.stack(seen))


def test_plain_behaviour(laid_out: Bench) -> None:
    """Logit and losses are the behaviour's; norm growth is a loop over sites."""
    calls = Calls()
    found = plain_behaviour(laid_out, progress=calls)
    assert calls.reach_the_end(3)
    with torch.no_grad():
        output = laid_out.model.module(laid_out.batch.clean)
    first, second = half_losses(output.logits, laid_out.batch)
    points = laid_out.repeated.embeddings
    norms = []
    for write in (torch.zeros_like(points), *clean_writes(laid_out)):
        points = points + write
        at_sites = [points[p, i].norm() for p in range(3) for i in range(9, 16)]
        norms.append(float(torch.stack(at_sites).mean()))

    np.testing.assert_allclose(
        found["logit"], centred_logit(output.logits, laid_out.batch), atol=1e-5
    )
    np.testing.assert_allclose(found["first_loss"], first, rtol=1e-5)
    np.testing.assert_allclose(found["second_loss"], second, rtol=1e-5)
    np.testing.assert_allclose(found["norm_growth"], np.diff(norms), atol=1e-5)
