"""The command line: wiring, error messages and exit codes. Each command parses, calls one function and prints."""

from __future__ import annotations

import logging
import os
import sys
import traceback

import typer

from fervid.base.interrupt import command_of
from fervid.base.log import start_logging
from fervid.base.printable import one_line
from fervid.cli.table import LazyGroup
from fervid.errors import ConfigError, FervidError
from fervid.storage.place import EXTRAS, SCHEME_END, is_url
from fervid.storage.store_errors import storage_error

app = typer.Typer(
    name="fervid",
    cls=LazyGroup,
    help="Batch video analytics for facial emotion: how faces look over time, as Parquet timelines.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

INTERNAL_ERROR, OUTPUT_ERROR = 70, 74
READ_STORES = ("analyze", "query", "compact", "doctor")
"""Commands that accept object store URLs; others read results on disk."""
GENERAL_OPTIONS = ("--debug", "-v", "--verbose")


def _print_version(value: bool) -> None:
    if value:
        from fervid.base.version import __version__

        print(f"fervid {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the full traceback of an error."),
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Print more on stderr."),
    version: bool = typer.Option(  # noqa: ARG001
        False, "-V", "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Batch video analytics for facial emotion: how faces look over time, as Parquet timelines."""
    if debug:
        os.environ["FERVID_DEBUG"] = "1"
    start_logging(logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run a command; the only place where errors become messages and exit codes."""
    try:
        arguments = _help_as_an_option(_general_options_first(sys.argv[1:]))
        _refuse_stores(arguments)
        app(args=arguments, standalone_mode=True)
    except FervidError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OUTPUT_ERROR)
    except Exception as error:
        if (store_error := storage_error(error)) is not None:
            _fail(str(store_error), store_error.exit_code)
        if isinstance(error, OSError):
            place, reason = error.filename or "output", error.strerror or error
            _fail(f"{place} could not be read or written ({reason})", OUTPUT_ERROR)
        _fail(f"internal error: {type(error).__name__}: {error}. Run again with --debug and report it", INTERNAL_ERROR)


def _general_options_first(arguments: list[str]) -> list[str]:
    """Accept --debug and -v at any position before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    general = [word for word in arguments[:end] if word in GENERAL_OPTIONS]
    return [*general, *(word for word in arguments[:end] if word not in GENERAL_OPTIONS), *arguments[end:]]


def _help_as_an_option(arguments: list[str]) -> list[str]:
    """`fervid help COMMAND` as `fervid COMMAND --help`."""
    if command_of(arguments) != "help":
        return arguments
    place = arguments.index("help")
    return [*arguments[:place], *arguments[place + 1 :], "--help"]


def _refuse_stores(arguments: list[str]) -> None:
    """Reject object store URLs for commands that cannot read them; they would look like missing paths."""
    command = command_of(arguments)
    stores = [word for word in arguments if is_url(word) and word.partition(SCHEME_END)[0] in EXTRAS]
    if stores and command not in READ_STORES:
        known = ", ".join(READ_STORES)
        raise ConfigError(f"{stores[0]}: `fervid {command}` reads files on disk. Copy them first; {known} read stores.")


def _fail(message: str, code: int) -> None:
    if os.environ.get("FERVID_DEBUG"):
        traceback.print_exc()
    print(f"fervid: {one_line(message)}", file=sys.stderr)
    sys.exit(code)
