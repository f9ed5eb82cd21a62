"""The command ``bench``: register the commands, turn errors into exit codes."""

import sys
from collections.abc import Sequence

import typer

from bench.cli.doctor import doctor
from bench.cli.env import env
from bench.cli.evaluate import evaluate
from bench.cli.init import init
from bench.cli.leaderboard import leaderboard
from bench.cli.list import list_things
from bench.cli.prompts import prompts
from bench.cli.reference import reference
from bench.cli.schema import schema
from bench.cli.score import score
from bench.cli.show import show
from bench.cli.submit import submit
from bench.cli.validate import validate
from bench.errors import BenchError

INTERRUPTED = 130

app = typer.Typer(
    name="bench",
    help="Benchmark circuit-analysis methods on language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_things)
app.command()(show)
app.command()(init)
app.command()(doctor)
app.command()(evaluate)
app.command()(score)
app.command()(submit)
app.command()(validate)
app.command()(leaderboard)
app.add_typer(reference)
app.add_typer(prompts)
app.command()(schema)
app.command()(env)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: Arguments without the program's name; ``sys.argv`` by default.

    Returns:
        0 done, 1 something ran and failed, 2 usage or input error, 3 a submission has
        problems, 130 interrupted.
    """
    try:
        app(None if argv is None else list(argv), prog_name="bench")
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted; the same command continues.", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
