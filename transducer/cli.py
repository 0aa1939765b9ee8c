"""The command line.

Every mistake is one sentence on standard error, every result is a table or one JSON object.
"""

import contextlib
import errno
import gc
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
from transducer import terminal
from transducer.terminal import Progress
from transducer.validation import commands as validation
from transducer.version import __version__

if TYPE_CHECKING:
    from dask.distributed import Client

    from transducer.simulation import LinkReport
    from transducer.study import Study

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

part_commands = typer.Typer(no_args_is_help=False, rich_markup_mode=None, help="Parts of links.")
app.add_typer(part_commands, name="part")

app.add_typer(validation.validate, name="validate")
app.command()(validation.cite)


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
            help="A heralding scheme, or all to compare every protocol; the scenario's by default.",
            metavar="NAME",
        ),
    ] = None,
    station: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="midpoint, end, none, source or all: compares places of the station.",
            metavar="PLACE",
        ),
    ] = None,
    fidelity: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Compare at the most pairs per second of this fidelity.", metavar="F"),
    ] = None,
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Compare at the best fidelity of so many pairs per second.", metavar="R"),
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
    if protocol == "all" or station is not None or fidelity is not None or rate is not None:
        if json or out is not None:
            raise ParameterError(
                "a comparison prints one table: leave --json and --out away, and ask for one "
                "protocol to get its contract or archive"
            )
        if engine not in ("all", "scattering"):
            raise ParameterError(
                f"--engine '{engine}' has no place in a comparison, which uses scattering; leave "
                "it away"
            )
        _compare(scenario, protocol, station, fidelity, rate)
        return
    known = [scheme.value for scheme in Scheme]
    if protocol in ("direct", "direct-time-bin", "pair-source", "teleport"):
        raise ParameterError(
            f"--protocol '{protocol}' has no station in the middle and is shown by comparison: add "
            "--station all"
        )
    if protocol is not None and protocol not in known:
        raise ParameterError(
            f"--protocol '{protocol}' is not one of {', '.join(known)}, all; "
            f"{nearest(protocol, known)}"
        )
    targets = _targets(out, overwrite, no_files)
    loaded = load_scenario(scenario)
    schemes = loaded.schemes if protocol is None else (Scheme(protocol),)
    with Progress(quiet=json) as progress:
        report = simulate(loaded, engine, schemes, progress.say)
        if not no_files:
            progress.say("archive and picture")
            targets = _write(report, targets, loaded.name, overwrite)
    if json:
        from transducer.contract import contract_of

        typer.echo(contract_of(report).model_dump_json(indent=2))
        return
    from transducer.report import show

    console = terminal.console()
    show(report, console)
    for path in targets:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


def _compare(
    scenario: str,
    protocol: str | None,
    station: str | None,
    fidelity: float | None,
    rate: float | None,
) -> None:
    from transducer.comparison import PROTOCOLS, STATIONS, compare
    from transducer.comparison_report import show_comparison
    from transducer.goals import Goal
    from transducer.scenario import load_scenario

    goal = Goal(fidelity, rate)
    protocols = PROTOCOLS if protocol in (None, "all") else (str(protocol),)
    stations = STATIONS if station in (None, "all") else (str(station),)
    loaded = load_scenario(scenario)
    with Progress(quiet=False) as progress:
        found = compare(loaded, protocols, stations, goal, progress.say)
    show_comparison(loaded, found, goal, terminal.console())


@devices.command("list")
def device_list() -> None:
    """Every device at hand, how its numbers are known, and its operating points."""
    from transducer.device_report import show_list

    show_list(terminal.console())


@devices.command("show")
def device_show(
    key: Annotated[str, typer.Argument(help="A name from 'device list', or a TOML file.")],
) -> None:
    """One device: each number's address and status, derived figures, noise by port, limits."""
    from transducer.device_report import show_device

    show_device(key, terminal.console())


Workers = Annotated[
    int, typer.Option("--workers", min=0, max=1024, help="Processes to start; 0 computes here.")
]

Scheduler = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--dask", help="Address of a running dask scheduler.", metavar="TCP://HOST:PORT"),
]


@app.command()
def sweep(
    study: Annotated[str, typer.Argument(help="A study file, or the name of a shipped one.")],
    workers: Workers = 0,
    dask: Scheduler = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Archive to write, instead of the place the study names.", metavar="PATH"
        ),
    ] = None,
) -> None:
    """Evaluate a scenario at every point of a study; stop and go on as you like."""
    from transducer.study import load_study

    _run_study(load_study(study, out), workers, dask)


@app.command()
def resume(
    archive: Annotated[Path, typer.Argument(help="An unfinished archive, NAME.h5.")],
    workers: Workers = 0,
    dask: Scheduler = None,
) -> None:
    """Go on with a sweep that was stopped, from its archive alone."""
    from transducer.study import restored

    _run_study(restored(archive), workers, dask)


@app.command()
def info(archive: Annotated[Path, typer.Argument(help="An archive, finished or not.")]) -> None:
    """What an archive holds, and how it was made."""
    from transducer.sweep_report import show_info

    show_info(archive, terminal.console())


@app.command()
def merge(
    archive: Annotated[Path, typer.Argument(help="An archive whose blocks are all there.")],
) -> None:
    """Turn the blocks of a complete sweep into one file."""
    from transducer.sweeps.run import finish

    finish(archive)
    typer.echo(f"wrote {archive}")


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(help="An archive, or a scenario.")],
    second: Annotated[
        Path, typer.Argument(help="An archive of the same points, or another scenario.")
    ],
) -> None:
    """What moved between two archives, or between the budgets of two scenarios, row by row."""
    ends = {path.suffix == ".h5" for path in (first, second)}
    if ends == {True}:
        from transducer.sweep_report import show_diff

        show_diff(first, second, terminal.console())
        return
    if ends == {True, False}:
        raise ParameterError(
            f"'{first}' and '{second}' cannot be compared: give two archives (.h5), or two "
            "scenarios"
        )
    from transducer.budget_diff import show_budget_diff
    from transducer.scenario import load_scenario

    show_budget_diff(load_scenario(str(first)), load_scenario(str(second)), terminal.console())


@part_commands.command("list")
def part_list(
    category: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only parts of this category, for example switch.", metavar="NAME"),
    ] = None,
) -> None:
    """Every part of the catalogue and how its numbers are known."""
    from fibre.part_file import MODELS
    from transducer.part_report import show_parts

    if category is not None and category not in MODELS:
        raise ParameterError(
            f"--category '{category}' is not one of {', '.join(MODELS)}; "
            f"{nearest(category, MODELS)}"
        )
    show_parts(category, terminal.console())


@part_commands.command("show")
def part_show(
    key: Annotated[str, typer.Argument(help="A name from 'part list', or a TOML file.")],
) -> None:
    """One part: each number's range, status and address."""
    from transducer.part_report import show_part

    show_part(key, terminal.console())


def _run_study(study: "Study", workers: int, dask: str | None) -> None:
    from transducer import disk
    from transducer.study import run
    from transducer.sweep_report import show_info, sweep_png

    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C keeps what is done
    wrote, picture = [], study.archive.with_suffix(".png")
    try:
        if not study.archive.exists():
            wrote.append(study.archive)
        if dask is None:
            found = run(study, workers)
        else:
            with _dask_client(dask) as client:
                many = (
                    2 * sum(client.nthreads().values()) or None
                )  # of the cluster, not of this host
                found = run(study, workers, client.get_executor(), many)
        stale = picture.exists()
        if not stale:
            disk.place({picture: sweep_png(found, study.inputs)})
            wrote.append(picture)
    except KeyboardInterrupt as error:  # typer would end without a word
        said = str(error) or f"interrupted; {study.archive} is kept as it is"
        with contextlib.suppress(OSError):
            os.write(2, f"\ntransducer: {said}\n".encode())
        os._exit(130)
    console = terminal.console()
    show_info(study.archive, console)
    if study.archive not in wrote:
        console.print(f"{study.archive} was finished already", soft_wrap=True, markup=False)
    for path in wrote:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
    if stale and study.archive in wrote:
        console.print(
            f"{picture} exists already and is kept: it may show another sweep",
            soft_wrap=True,
            markup=False,
        )


def _dask_client(address: str) -> "Client":
    try:
        from dask.distributed import Client
    except ImportError:
        raise ParameterError(
            "--dask needs dask.distributed: pip install 'transducer-toolkit[distributed]'"
        ) from None
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(
            f"--dask '{address}': no scheduler answers there ({said}); start 'dask scheduler' and "
            "its workers, and give its address"
        ) from None


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
    gc.freeze()  # what was imported stays: a short process need not look through it again
    gc.set_threshold(20_000)
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
