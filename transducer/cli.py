"""The command line.

Every mistake is one sentence on standard error, every result is a table or one JSON object.
"""

import contextlib
import errno
import io
import os
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from cavities.errors import DataError, ParameterError, ToolkitError
from cavities.sentences import nearest
from transducer.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from transducer.simulation import LinkReport

app = typer.Typer(
    name="transducer",
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From a microwave-optical transducer to the entanglement rate of a link.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


devices = typer.Typer(no_args_is_help=False, rich_markup_mode=None, help="Published devices.")
app.add_typer(devices, name="device")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def link(
    scenario: Annotated[
        str,
        typer.Argument(help="A TOML file, or the name of a shipped scenario.", show_default=True),
    ] = "metro",
    engine: Annotated[
        str, typer.Option(help="all, scattering, master-equation, pulse or node.", metavar="NAME")
    ] = "all",
    protocol: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(
            help="single-click or two-click; both of the scenario by default.", metavar="NAME"
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the link contract and nothing else.")
    ] = False,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Archive to write; the picture stands beside it.", metavar="PATH"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
    no_files: Annotated[
        bool, typer.Option("--no-files", help="Write neither archive nor picture.")
    ] = False,
) -> None:
    """What a device does, what the link loses where, and what entanglement comes out."""
    from fibre.herald import Scheme
    from transducer.scenario import load_scenario
    from transducer.simulation import ENGINES, simulate

    if engine not in ENGINES:
        raise ParameterError(
            f"--engine '{engine}' is not one of {', '.join(ENGINES)}; {nearest(engine, ENGINES)}"
        )
    known = [scheme.value for scheme in Scheme]
    if protocol is not None and protocol not in known:
        raise ParameterError(
            f"--protocol '{protocol}' is not one of {', '.join(known)}; {nearest(protocol, known)}"
        )
    targets = _targets(out, overwrite, no_files)
    loaded = load_scenario(scenario)
    schemes = loaded.schemes if protocol is None else (Scheme(protocol),)
    with _Progress(quiet=json) as progress:
        report = simulate(loaded, engine, schemes, progress.say)
        if not no_files:
            progress.say("archive and picture")
            targets = _write(report, targets, loaded.name, overwrite)
    if json:
        from transducer.contract import contract_of

        typer.echo(contract_of(report).model_dump_json(indent=2))
        return
    from transducer.report import show

    console = _console()
    show(report, console)
    for path in targets:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


@devices.command("list")
def device_list() -> None:
    """Every device at hand, how its numbers are known, and its operating points."""
    from transducer.device_report import show_list

    show_list(_console())


@devices.command("show")
def device_show(
    key: Annotated[str, typer.Argument(help="A name from 'device list', or a TOML file.")],
) -> None:
    """One device: each number's address and status, derived figures, noise by port, limits."""
    from transducer.device_report import show_device

    show_device(key, _console())


def _console() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def _targets(out: Path | None, overwrite: bool, no_files: bool) -> tuple[Path, ...]:
    """Where the files go; a place that is taken is refused before anything is computed."""
    if out is None:
        return ()
    from transducer import disk

    if no_files:
        raise ParameterError(
            f"--out '{out}' and --no-files contradict each other; leave one of them out"
        )
    if out.suffix != ".h5" or not out.name:
        raise DataError(f"--out '{out}': an archive's name must end in .h5; rename it")
    paths = (out, out.with_suffix(".png"))
    for path in paths:
        disk.require_free(path, overwrite)
    return paths


def _write(
    report: "LinkReport", targets: tuple[Path, ...], name: str, overwrite: bool
) -> tuple[Path, ...]:
    from transducer import disk, link_archive, plots

    if not targets:
        stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)
        path = disk.fresh_path(Path("results"), stem)
        targets = (path, path.with_suffix(".png"))
    contents = (link_archive.link_bytes(report), plots.link_png(report))
    disk.place(dict(zip(targets, contents, strict=True)), overwrite)
    return targets


class _Progress:
    """A line on standard error that says what is being done, on a terminal only."""

    def __init__(self, quiet: bool) -> None:
        self.live = not quiet and sys.stderr.isatty()

    def __enter__(self) -> "_Progress":
        return self

    def say(self, text: str) -> None:
        if self.live:
            sys.stderr.write(f"\r\033[K{text} ...")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self.live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _stop(signum: int, frame: FrameType | None) -> None:
    """End at once: no exception that a library could swallow, no temporary file left."""
    disk = sys.modules.get("transducer.disk")
    for temporary in set(getattr(disk, "IN_FLIGHT", ())):
        temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.write(2, b"\ntransducer: interrupted; no half-written file was left behind\n")
    os._exit(130)


def main() -> None:
    """Run the command line; exit status 2 and one sentence for every mistake of the user's."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    warnings.simplefilter("ignore", RuntimeWarning)  # every figure is checked to be finite instead
    # the base of every complaint about options; where it lives differs between versions of typer
    usage: type[Exception] = next(
        base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
    )
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        if sys.stdout is None:
            raise DataError("standard output is closed; leave it open or send it to a file")
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except ToolkitError as error:
        _fail(str(error))
    except usage as error:
        sentence = str(getattr(error, "format_message", error.__str__)())
        _fail(sentence.rstrip(".") + "; see 'transducer --help' or 'transducer link --help'")
    except (ArithmeticError, ValueError) as error:
        # LinAlgError and pydantic's refusal of infinities are ValueErrors, too
        if not _is_numerical(error):
            raise
        _fail(
            "a number of this scenario is too large or too small to compute with "
            f"({type(error).__name__}); look for a slip in an exponent or a unit"
        )
    except BrokenPipeError:
        os._exit(141)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"standard output cannot be written: {error.strerror}; send it elsewhere")
    raise SystemExit(status if isinstance(status, int) else 0)


def _is_numerical(error: Exception) -> bool:
    return isinstance(error, ArithmeticError) or type(error).__name__ in (
        "LinAlgError",
        "ValidationError",
    )


def _fail(sentence: str) -> NoReturn:
    one_line = " ".join(sentence.split())
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"transducer: {one_line}\n")
        sys.stderr.flush()
    # os._exit: a full or closed standard stream must not turn status 2 into another at shutdown
    with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
    os._exit(2)
