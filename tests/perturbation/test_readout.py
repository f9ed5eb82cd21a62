import pytest
import torch
from torch.testing import assert_close

from bench.perturbation.readout import READOUTS, build_readouts
from bench.tasks.prompts import Probe, Prompt

CPU = torch.device("cpu")


def hand_prompt() -> Prompt:
    """Six positions, two probes, sources 1, 2 and (of a control alone) 3."""
    probes = (
        Probe(source=1, site=4, controls=((1, 5), (3, 4)), previous_site=2,
              match_site=4),
        Probe(source=2, site=4, controls=((2, 3),), previous_site=3, match_site=5),
    )  # fmt: skip
    return Prompt(
        id="hand",
        split="reference",
        input_ids=(0, 1, 2, 3, 1, 2),
        control_ids=(0, 1, 2, 3, 4, 5),
        corrupt_ids=(0, 4, 5, 3, 1, 2),
        probes=probes,
    )


def test_weights_hand_worked() -> None:
    """Every readout averages over probes, the control over a probe's pairs first.

    The pair (3, 4) is less than half as far apart as its probe's (1, 4): not far.
    """
    weights = build_readouts([hand_prompt()], device=CPU).weights

    expected = torch.zeros(1, 5, 3, 6)
    copy, control, previous, match, far = range(5)
    expected[0, copy, 0, 4] = expected[0, copy, 1, 4] = 0.5
    expected[0, control, 0, 5] = expected[0, control, 2, 4] = 0.25
    expected[0, control, 1, 3] = 0.5
    expected[0, previous, 0, 2] = expected[0, previous, 1, 3] = 0.5
    expected[0, match, 0, 4] = expected[0, match, 1, 5] = 0.5
    expected[0, far, 0, 5] = expected[0, far, 1, 3] = 0.5
    assert READOUTS == ("copy", "control", "previous", "match", "far")
    assert_close(weights, expected)


def test_weights_sum_to_one(few_prompts: tuple[Prompt, ...]) -> None:
    """A readout of a constant field is that constant."""
    readouts = build_readouts(few_prompts, device=CPU)
    sources = len(few_prompts[0].perturbed)

    read = readouts.read(torch.full((3, sources, 5, 17), 7.0))

    assert_close(read, torch.full((3, len(READOUTS), 5), 7.0))


def test_read_equals_loops(few_prompts: tuple[Prompt, ...]) -> None:
    """Reading a random field equals loops over probes and their pairs."""
    row = {j: n for n, j in enumerate(few_prompts[0].perturbed)}
    field = torch.rand(
        3, len(row), 5, 17, generator=torch.Generator().manual_seed(0)
    ).double()
    read = build_readouts(few_prompts, device=CPU).read(field.float())

    near = 0
    for p, prompt in enumerate(few_prompts):
        total = torch.zeros(len(READOUTS), 5, dtype=torch.float64)
        for probe in prompt.probes:
            at = row[probe.source]
            total[0] += field[p, at, :, probe.site]
            controls = [field[p, row[j], :, i] for j, i in probe.controls]
            total[1] += sum(controls, torch.zeros(5)) / len(controls)
            total[2] += field[p, at, :, probe.previous_site]
            total[3] += field[p, at, :, probe.match_site]
            far = [
                field[p, row[j], :, i]
                for j, i in probe.controls
                if 2 * (i - j) >= probe.site - probe.source
            ]
            near += len(controls) - len(far)
            total[4] += sum(far, torch.zeros(5)) / len(far)
        assert_close(read[p].double(), total / len(prompt.probes), rtol=1e-5, atol=1e-6)
    assert near > 0


@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 3)])
def test_rows_of_readouts(few_prompts: tuple[Prompt, ...], rows: slice) -> None:
    """Taking rows is building the readouts of those prompts alone."""
    some = build_readouts(few_prompts, device=CPU).rows(rows)

    assert_close(some.weights, build_readouts(few_prompts[rows], device=CPU).weights)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_precision_is_never_lost(
    given: torch.dtype, expected: torch.dtype, few_prompts: tuple[Prompt, ...]
) -> None:
    """Responses are averaged in float32 at least, and in float64 where they are."""
    readouts = build_readouts(few_prompts, device=CPU)
    field = torch.rand(3, len(few_prompts[0].perturbed), 5, 17).to(given)

    read = readouts.read(field)

    assert read.dtype == expected
    assert_close(read.float(), readouts.read(field.float()))
