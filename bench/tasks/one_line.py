"""What people write in one line: reasons, and text that is cut to be shown."""

from bench.errors import UserError


def shortened(text: str, longest: int) -> str:
    """Return a text, or its beginning and dots if it is longer."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def check_reason(reason: str, *, what: str, longest: int) -> None:
    """Check what somebody gave as a reason.

    Args:
        reason: The text.
        what: What it is a reason of, to begin a message with.
        longest: Characters that it may have.

    Raises:
        UserError: It is empty, too long, or not one line of printable characters.
    """
    if not reason.strip() or len(reason) > longest or not reason.isprintable():
        raise UserError(
            f"{what} is {reason!a}; expected one line of 1 to {longest} characters."
        )
