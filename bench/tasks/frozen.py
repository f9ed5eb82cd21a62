"""The base of everything that is read from disk: strict, frozen, finite, closed."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from bench.errors import FileFormatError
from bench.tasks.one_line import shortened

# typing.Self would do, but beartype refuses it in a method of an undecorated class
Model = TypeVar("Model", bound=BaseModel)

SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def _no_bool(value: object) -> object:
    """Refuse true, which equals 1 in Python and not in JSON."""
    if isinstance(value, bool):
        raise ValueError("expected the number 1")  # noqa: TRY004  (pydantic wants it)
    return value


SchemaVersion = Annotated[Literal[1], BeforeValidator(_no_bool)]


class FrozenModel(BaseModel):
    """A record that refuses unknown keys, wrong types, NaN and changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )

    @classmethod
    def closed_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema, in which a key that fits no pattern is refused too.

        pydantic refuses such keys and does not say so in its schema.
        """
        schema = cls.model_json_schema()
        _close(schema)
        return schema

    @classmethod
    def parse(cls: type[Model], text: str | bytes, *, file: Path | str) -> Model:
        """Read one JSON text and report every problem in it at once.

        Args:
            text: The JSON text. JSON arrays become tuples.
            file: What to call the text in messages.

        Raises:
            FileFormatError: The text is not JSON or does not fit this model.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise FileFormatError(
                f"'{file}' is not a valid {cls.__name__}:\n{describe(error)}"
            ) from None


def _close(node: Any) -> None:
    """Refuse keys that fit no pattern, everywhere in a schema."""
    if isinstance(node, dict):
        found = cast(dict[str, Any], node)
        if "patternProperties" in found:
            found.setdefault("additionalProperties", False)
        for value in found.values():
            _close(value)
    elif isinstance(node, list):
        for value in cast(list[Any], node):
            _close(value)


def describe(error: ValidationError) -> str:
    """List the problems that pydantic found, one a line, each with its place."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        place = "/".join(str(part) for part in problem["loc"]) or "(whole file)"
        found = shortened(repr(problem["input"]), SHOWN)
        lines.append(f"  {place}: {problem['msg']} (found {found})")
    return "\n".join(lines)
