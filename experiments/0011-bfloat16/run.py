"""How far the answers of built-in methods move when products are in bfloat16.

python experiments/0011-bfloat16/run.py > experiments/0011-bfloat16/results.txt
"""

import numpy as np
from tabulate import tabulate

from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.methods.catalogue import built_in
from bench.methods.discovery import find_method
from bench.tasks.registry import data_root, find_tasks

TASKS = ("induction/small-llama", "induction/small-gemma2", "induction/planted-llama")
PROMPTS = 8


def difference(name: str, exact: OpenedTask, rough: OpenedTask) -> str:
    """Return the largest difference, in percent of the largest value."""
    answers: list[np.ndarray] = []
    for opened in (exact, rough):
        ctx = opened.context(lambda _done, _total: None).first_prompts(PROMPTS)
        with opened.precision():
            answers.append(run_method(find_method(name), ctx)[0].values)
    apart = np.abs(answers[1] - answers[0]).max() / np.abs(answers[0]).max()
    return f"{100 * apart:.2f}"


def main() -> None:
    """Print a table of all methods."""
    pairs = [
        (OpenedTask(task, "cpu", 0, "float32"), OpenedTask(task, "cpu", 0, "bfloat16"))
        for task in find_tasks(list(TASKS), root=data_root())
    ]
    rows = [[name, *(difference(name, *pair) for pair in pairs)] for name in built_in()]
    print(f"Largest difference in percent of the largest value, {PROMPTS} prompts")
    print(tabulate(rows, ["method", *TASKS], disable_numparse=True))


if __name__ == "__main__":
    main()
