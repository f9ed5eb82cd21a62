"""Print what bench needs to run a method, from pyproject.toml, one package a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
needed = project["dependencies"] + project["optional-dependencies"]["run"]
sys.stdout.write("\n".join(needed) + "\n")
