import json
import re
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.leaderboard.site.write import LIST, write_site

SITE = {"index.html": b"front", "methods/a.html": b"a", "static/style.css": b"css"}


def found(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LIST
    }


def test_writes_every_file(tmp_path: Path) -> None:
    """The files stand where they should, and their list beside them."""
    write_site(SITE, tmp_path / "site")

    assert found(tmp_path / "site") == SITE
    assert json.loads((tmp_path / "site" / LIST).read_text()) == sorted(SITE)


def test_old_pages_go_and_others_stay(tmp_path: Path) -> None:
    """A page that is gone is removed; a file of somebody else's is not."""
    write_site(SITE, tmp_path)
    (tmp_path / "CNAME").write_bytes(b"mine")
    changed = {"index.html": b"new", "methods/b.html": b"b"}
    write_site(changed, tmp_path)

    assert found(tmp_path) == changed | {"CNAME": b"mine"}


@pytest.mark.parametrize("listed", [None, "{", '{"a": 1}'])
def test_a_folder_of_other_things_is_refused(
    listed: str | None, tmp_path: Path
) -> None:
    """Nothing is written among files that bench does not know."""
    (tmp_path / "index.html").write_bytes(b"mine")
    if listed is not None:
        (tmp_path / LIST).write_text(listed)
    before = found(tmp_path)

    expected = f"'{tmp_path}' is not empty and holds no site that bench wrote"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}"):
        write_site(SITE, tmp_path)
    assert found(tmp_path) == before


def test_a_list_cannot_point_outside(tmp_path: Path) -> None:
    """What lies outside the folder is never removed, whatever the list says."""
    outside = tmp_path / "precious.txt"
    outside.write_bytes(b"mine")
    site = tmp_path / "site"
    site.mkdir()
    (site / LIST).write_text(json.dumps(["../precious.txt", str(outside)]))
    write_site(SITE, site)

    assert outside.read_bytes() == b"mine"
