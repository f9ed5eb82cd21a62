"""``bench env``: one paste for a bug report."""

import json
import platform

from bench.results.provenance import PACKAGES, bench_version, git_state, package_version
from bench.tasks.registry import PACKAGE


def env() -> None:
    """Print versions and platform, for a bug report."""
    commit, dirty = git_state(PACKAGE.parent)
    found = {
        "bench": bench_version(),
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: package_version(name) for name in PACKAGES},
    }
    print(json.dumps(found, indent=2))
