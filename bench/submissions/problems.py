"""What can be wrong with a submission: one stable code for each kind of problem."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from bench.submissions.file_names import shown

LONGEST = 1000
"""Characters of any field of a problem."""
MOST = 100
"""Problems of a submission that are reported."""
MOST_OF_FILE = 20
"""Problems with the form of one file that are reported."""

CODES: dict[str, str] = {
    # the folder
    "S001": "not a submission folder",
    "S002": "unexpected file",
    "S003": "not a regular file",
    "S004": "file too large",
    "S005": "too many files",
    "S006": "file name that not every system has",
    "S007": "submission too large",
    "S008": "file cannot be read",
    "S009": "more problems than are shown",
    # the form of its files
    "S010": "not strict JSON",
    "S011": "does not fit the schema",
    "S012": "not plain text",
    "S013": "not the safetensors file of per_prompt",
    # the manifest
    "S020": "folder and method have different names",
    "S021": "passes for a built-in method",
    "S022": "file is missing",
    "S023": "file differs from its recorded size or digest",
    "S024": "listed more than once",
    "S025": "unknown suite or suite version",
    "S026": "task of the suite is missing",
    "S027": "says that tasks are missing, and none is",
    "S028": "manifest differs from its own digest",
    "S029": "not the code that was evaluated",
    # its attributions
    "S030": "unknown task",
    "S031": "made on another version of the task",
    "S032": "wrong number of sections",
    "S033": "attribution belongs to another method or task",
    "S034": "values are not the mean of per_prompt",
    "S035": "the task's reference is pending",
    "S036": "numbers too large to compute with",
    "S037": "not computed in float32",
    # its claims
    "S040": "claimed score differs from the computed one",
    "S041": "claims a score without an attribution",
    # a withdrawn submission
    "S045": "withdrawn, and more than that",
    # a pull request
    "S050": "change outside of the submission",
    "S051": "more than one submission",
    "S052": "mode of a file that is not plain",
    "S053": "nothing submitted",
    "S054": "folder of a built-in method",
    "S055": "submission deleted",
}


@dataclass(frozen=True)
class Problem:
    """One problem: where, what was expected, what was found, what to do.

    Whatever a stranger wrote into a field, it is short and printable everywhere.
    """

    code: str
    file: str
    """Path inside the submission's folder; empty for the folder itself."""
    pointer: str
    """JSON pointer inside the file; empty for the whole file."""
    expected: str
    found: str
    fix: str

    def __post_init__(self) -> None:
        """Make every field printable."""
        for name in (field.name for field in fields(self)):
            text = shown(getattr(self, name), LONGEST)
            object.__setattr__(self, name, text)

    @property
    def title(self) -> str:
        """What kind of problem this is."""
        return CODES[self.code]


def bounded(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return as many problems as anybody reads, and how many more there are."""
    if len(problems) <= MOST:
        return tuple(problems)
    found = f"{len(problems) - MOST} more"
    more = Problem("S009", "", "", "no problem", found, "Mend those above first.")
    return (*problems[:MOST], more)
