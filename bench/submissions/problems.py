"""What can be wrong with a submission: one stable code for each kind of problem."""

from dataclasses import dataclass

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
    """One problem: where, what was expected, what was found, what to do."""

    code: str
    file: str
    """Path inside the submission's folder."""
    pointer: str
    """JSON pointer inside the file; empty for the whole file."""
    expected: str
    found: str
    fix: str

    @property
    def title(self) -> str:
        """What kind of problem this is."""
        return CODES[self.code]
