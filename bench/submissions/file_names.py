"""Which names a file of a submission may have on every system that clones it."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from bench.tasks.one_line import shortened

LONGEST = 120
"""Characters of a name: checkouts of Windows end at 260, path included."""

_RESERVED = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?",
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_COMMAND = "##["
"""Starts a command of GitHub's in any place of a log's line."""
_FORBIDDEN = re.compile(r'[<>:"|?*\\/]')
# Cc control, Cf format (bidirectional marks among them), Cs half of a surrogate pair,
# Co private, Cn unassigned, Zl and Zp line and paragraph ends
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def printable(text: str) -> str:
    """Return a stranger's text as it may be printed anywhere: visible ASCII alone."""
    visible = _UNPRINTABLE.sub(lambda found: ascii(found.group())[1:-1], text)
    return visible.replace(_COMMAND, r"\x23#[")


def shown(text: str, longest: int) -> str:
    """Return the beginning of a stranger's text, printable anywhere."""
    return shortened(printable(text[: longest + 1]), longest)


def name_faults(name: str) -> Iterator[str]:
    """Say what is wrong with one name; nothing if it is sound."""
    if len(name) > LONGEST:
        yield f"{len(name)} characters"
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        yield "control, invisible or undecodable characters"
    if unicodedata.normalize("NFC", name) != name:
        yield "characters that are not composed (NFC)"
    if _RESERVED.fullmatch(name):
        yield "a name that Windows reserves"
    if name.endswith((" ", ".")) or name.startswith(" "):
        yield "a space or a dot at its edge"
    if _FORBIDDEN.search(name):
        yield "a character that Windows forbids"


def collisions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Find names that are one on a system that ignores case, with the first of them."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        first = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if first != name:
            yield first, name
