from pathlib import Path

from tests.rehearsal.play import play


def test_the_life_of_submissions_is_as_it_should_be(tmp_path: Path) -> None:
    """Every scene: rejected, hostile, good, withdrawn; as the files have it."""
    played = list(play(tmp_path))
    failed = [f"{scene.name}\n{scene.error}" for scene in played if scene.error]
    assert not failed, "\n\n".join(failed)
    assert len(played) >= 24
