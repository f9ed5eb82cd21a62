"""Put a submission's code where the child finds it. Nothing of it is imported here."""

import subprocess
import sys
from pathlib import Path

from bench.errors import RunFailedError, UserError
from bench.reproduction.request import PACKAGE_FOLDER
from bench.results.store import write_atomically
from bench.submissions.manifest import CODE, CodeFile, CodePackage, Manifest
from bench.submissions.snapshot import LARGEST
from bench.tasks.bounded import read_bounded
from bench.tasks.digest import sha256_of_bytes

LARGEST_PACKAGE = 50_000_000
"""Bytes of a package, unpacked."""
INSTALL_S = 300.0


def place_code(submission: Path, manifest: Manifest, workspace: Path) -> str:
    """Copy or unpack the method's code into a workspace.

    Args:
        submission: The submission's folder.
        manifest: Its manifest.
        workspace: Where to.

    Returns:
        What the child has to look for.

    Raises:
        UserError: The submission brings no code, or the code is not what it says.
        RunFailedError: The package cannot be had.
    """
    code, method = manifest.code, manifest.method
    if isinstance(code, CodeFile):
        data = read_bounded(submission / CODE, limit=LARGEST[CODE])
        if sha256_of_bytes(data) != code.sha256:
            raise UserError(
                f"'{submission / CODE}' is not the file that the manifest names. "
                "Submit the method again."
            )
        write_atomically(workspace / CODE, data)
        return f"{CODE}:{method.name}"
    if isinstance(code, CodePackage):
        _install(code, workspace / PACKAGE_FOLDER)
        return method.source
    if method.origin == "built-in":
        return method.name
    raise UserError(
        f"The submission '{submission}' brings no code, so that nothing can be run "
        "again. It stays claimed. Submit the method as a file (bench submit "
        "METHOD.py), or as a package with pinned digests."
    )


def _install(code: CodePackage, folder: Path) -> None:
    """Unpack a wheel. Only wheels: the source of one would run while it is built."""
    folder.mkdir(parents=True)
    digests = "".join(f" --hash=sha256:{digest}" for digest in code.sha256)
    wanted = folder.with_suffix(".txt")
    wanted.write_text(f"{code.requirement}{digests}\n")
    command = [
        *(sys.executable, "-I", "-m", "pip", "install"),
        *("--disable-pip-version-check", "--no-input", "--quiet", "--no-compile"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--target", str(folder), "--requirement", str(wanted)),
    ]
    try:
        done = subprocess.run(  # noqa: S603  (pip, on digests)
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunFailedError(
            f"pip did not get '{code.requirement}' within {INSTALL_S:.0f} s."
        ) from None
    finally:
        wanted.unlink()
    if done.returncode:
        raise RunFailedError(
            f"pip could not get '{code.requirement}' with the digests of the manifest:"
            f"\n{done.stderr.strip()[-1000:]}"
        )
    size = sum(f.lstat().st_size for f in folder.rglob("*"))
    if size > LARGEST_PACKAGE:
        raise UserError(
            f"The package '{code.requirement}' takes {size} bytes; the limit is "
            f"{LARGEST_PACKAGE}. Submit the method as a single file."
        )
