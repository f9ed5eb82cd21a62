"""The published JSON Schemas: of everything that is stored, submitted or generated."""

from jsonschema import Draft202012Validator

from bench.leaderboard.document import Board
from bench.results.attribution_record import AttributionRecord
from bench.results.erratum_record import Erratum
from bench.results.reference_record import ReferenceRecord
from bench.results.reproduction_record import ReproductionRecord
from bench.submissions.ledger import LedgerLine
from bench.submissions.manifest import Manifest
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.frozen import FrozenModel

NAMESPACE = "urn:induction-bench:schema"
"""A name and no address: schemas are found beside the data, wherever that is."""
VERSION = 1
"""Of all records: the ``schema_version`` that they carry."""

PUBLISHED: dict[str, type[FrozenModel]] = {
    "attribution": AttributionRecord,
    "erratum": Erratum,
    "leaderboard": Board,
    "ledger": LedgerLine,
    "reference": ReferenceRecord,
    "reproduction": ReproductionRecord,
    "submission": Manifest,
    "withdrawal": Withdrawal,
}
"""Schema name to the model it is generated from."""


def json_schema(name: str) -> dict[str, object]:
    """Return the JSON Schema of a published record."""
    schema = PUBLISHED[name].closed_schema()
    dialect = Draft202012Validator.META_SCHEMA["$id"]
    return {"$schema": dialect, "$id": f"{NAMESPACE}:{name}:{VERSION}"} | schema
