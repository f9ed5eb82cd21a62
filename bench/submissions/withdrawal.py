"""What is left of a withdrawn submission: ``submissions/<method>/withdrawal.json``."""

from bench.submissions.manifest import Reason
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest, Slug


class Withdrawal(FrozenModel):
    """Which submission its author took back, and why."""

    schema_version: SchemaVersion = 1
    method: Slug
    digest: Digest
    """Of the manifest that was withdrawn."""
    reason: Reason
