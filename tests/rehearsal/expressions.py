"""Expressions of workflow files, as far as this repository uses them."""

import json
import re
from collections.abc import Callable, Mapping

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)"
    r"|(?P<sign>==|!=|&&|\|\||[!(),]))"
)
HOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
LITERALS = {"true": True, "false": False, "null": None}

Context = Mapping[str, object]


class ExpressionError(ValueError):
    """An expression that this imitation does not know."""


def fill(value: object, context: Context) -> object:
    """Replace the expressions in a string; one alone keeps its type."""
    if not isinstance(value, str):
        return value
    alone = HOLE.fullmatch(value.strip())
    if alone:
        return evaluate(alone[1], context)
    return HOLE.sub(lambda hole: plain(evaluate(hole[1], context)), value)


def plain(value: object) -> str:
    """Write a value as the runner puts it into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def truth(condition: str, context: Context) -> bool:
    """Evaluate the condition of a job or a step, with or without braces."""
    braces = HOLE.fullmatch(condition.strip())
    return bool(evaluate(braces[1] if braces else condition, context))


def evaluate(text: str, context: Context) -> object:
    """Evaluate one expression, without its braces."""
    parser = _Parser(_tokens(text), context)
    value = parser.either()
    if parser.rest:
        raise ExpressionError(f"'{text}' goes on after its end: {parser.rest}")
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"'{text}' is not understood from {at}")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent; && and || return one of their sides, as they do there."""

    def __init__(self, tokens: list[str], context: Context) -> None:
        self.rest = tokens
        self.context = context

    def take(self, *signs: str) -> str | None:
        if self.rest and self.rest[0] in signs:
            return self.rest.pop(0)
        return None

    def either(self) -> object:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> object:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> object:
        value = self.single()
        sign = self.take("==", "!=")
        if sign is None:
            return value
        return (plain(value) == plain(self.single())) is (sign == "==")

    def single(self) -> object:
        if self.take("!"):
            return not self.single()
        if self.take("("):
            value = self.either()
            self.expect(")")
            return value
        if not self.rest:
            raise ExpressionError("an expression ends too early")
        word = self.rest.pop(0)
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        return self.call(word) if self.take("(") else self.look_up(word)

    def call(self, name: str) -> object:
        arguments = []
        while not self.take(")"):
            arguments.append(self.either())
            self.take(",")
        function = self.context.get(f"{name}()")
        if name == "fromJSON":
            return json.loads(str(arguments[0]))
        if not isinstance(function, Callable):
            raise ExpressionError(f"{name}() is not imitated")
        return function(*arguments)

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise ExpressionError(f"expected {sign} before {self.rest}")

    def look_up(self, path: str) -> object:
        """Follow a path; what is missing is empty, as it is there."""
        if path in LITERALS:
            return LITERALS[path]
        if path.partition(".")[0] not in self.context:
            raise ExpressionError(f"the context of '{path}' is not imitated")
        value: object = self.context
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
