"""The command line.

Every mistake is one sentence on standard error, every result is a table or one JSON object.
"""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Optional

import typer

from cavities.data import nearest
from cavities.errors import DataError, ParameterError, ToolkitError
from transducer.version import __version__

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
        str, typer.Option(help="all, scattering or master-equation.", metavar="NAME")
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
    from transducer.chain import ENGINES, simulate
    from transducer.scenario import load_scenario

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
    from rich.console import Console

    from transducer.report import show

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    show(report, console)
    for path in targets:
        console.print(f"wrote {path}", soft_wrap=True)


def _targets(out: Path | None, overwrite: bool, no_files: bool) -> tuple[Path, ...]:
    """Where the files go; a place that is taken is refused before anything is computed."""
    if out is None:
        return ()
    from transducer import archive

    if no_files:
        raise ParameterError(
            f"--out '{out}' and --no-files contradict each other; leave one of them out"
        )
    if out.suffix != ".h5":
        raise DataError(f"--out '{out}': an archive's name must end in .h5; rename it")
    paths = (out, out.with_suffix(".png"))
    for path in paths:
        archive.require_free(path, overwrite)
    return paths


def _write(
    report: "object", targets: tuple[Path, ...], name: str, overwrite: bool
) -> tuple[Path, ...]:
    from transducer import archive, plots
    from transducer.chain import LinkReport

    assert isinstance(report, LinkReport)
    if not targets:
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
        path = archive.fresh_path(Path("results"), stem)
        targets = (path, path.with_suffix(".png"))
    archive.place(targets[0], lambda path: archive.write_link(report, path), overwrite)
    archive.place(targets[1], lambda path: plots.save_link_figure(report, path), overwrite)
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
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; exit status 2 and one sentence for every mistake of the user's."""
    # the base of every complaint about options; where it lives differs between versions of typer
    usage: type[Exception] = next(
        base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
    )
    signal.signal(signal.SIGTERM, _stop)
    try:
        status = app(standalone_mode=False)
    except ToolkitError as error:
        _fail(str(error))
    except usage as error:
        _fail(str(getattr(error, "format_message", error.__str__)()))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("transducer: interrupted; no half-written file was left behind\n")
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def _fail(sentence: str) -> None:
    one_line = " ".join(sentence.split())
    sys.stderr.write(f"transducer: {one_line}\n")
    raise SystemExit(2)
