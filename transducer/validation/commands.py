"""``transducer validate`` and ``transducer cite``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from cavities.errors import DataError, ParameterError
from transducer import terminal

if TYPE_CHECKING:
    from transducer.scenario import Scenario
    from transducer.validation.judge import Judged

validate = typer.Typer(
    no_args_is_help=False, rich_markup_mode=None, help="The tool against published experiments."
)

Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV and nothing else.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print the table for LaTeX and nothing else.")]


def _one_format(csv: bool, latex: bool) -> bool:
    """Whether a table is printed for another program."""
    if csv and latex:
        raise ParameterError("--csv and --latex contradict each other; leave one of them out")
    return csv or latex


@validate.command("devices")
def validate_devices(
    keys: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Argument(help="Names from 'device list', or TOML files; all papers by default."),
    ] = None,
    csv: Csv = False,
    latex: Latex = False,
    samples: Annotated[
        int, typer.Option(min=2, max=100_000, help="Draws of the Monte Carlo over the inputs.")
    ] = 200,
    link: Annotated[
        str, typer.Option(help="Scenario whose rate is drawn into the map.", metavar="SCENARIO")
    ] = "metro_target",
    figures: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder for claims.png and map.png; results/devices-TIME by default.",
            metavar="FOLDER",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pictures that exist.")
    ] = False,
    no_files: Annotated[bool, typer.Option("--no-files", help="Write no picture.")] = False,
) -> None:
    """Published devices: each reported figure against its prediction, with a verdict."""
    from transducer import disk
    from transducer.validation import report
    from transducer.validation.judge import judged

    silent = _one_format(csv, latex)
    if figures is not None and no_files:
        raise ParameterError(
            f"--figures '{figures}' and --no-files contradict each other; leave one of them out"
        )
    folder = figures
    if folder is None and not (silent or no_files):
        folder = disk.fresh_path(Path("results"), "devices").with_suffix("")
    paths = () if folder is None else (folder / "claims.png", folder / "map.png")
    for path in paths:
        disk.require_free(path, overwrite)
    with terminal.Progress(quiet=silent) as progress:
        scenario = None
        if paths:
            from transducer.scenario import load_scenario
            from transducer.validation.landscape import require_emitters

            scenario = load_scenario(link)  # before the long work: a slip must not cost it
            require_emitters(scenario)
        found = judged(keys or [], samples, progress.say)
        if scenario is not None:
            contents = _pictures(found, scenario, progress)
            disk.place(dict(zip(paths, contents, strict=True)), overwrite)
    if silent:
        typer.echo(report.as_csv(found) if csv else report.as_latex(found), nl=False)
        return
    console = terminal.console()
    report.show_claims(found, console)
    for path in paths:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


def _pictures(
    found: "list[Judged]", scenario: "Scenario", progress: terminal.Progress
) -> tuple[bytes, bytes]:
    """Predicted against reported, and the map with the rates of a link."""
    import numpy as np

    from transducer.validation import plots
    from transducer.validation.landscape import places_of, rate_map

    progress.say(f"rates of the link '{scenario.name}'")
    papers = {entry.paper.label: entry.paper for entry in found}
    places = places_of(list(papers.values()))
    rates = rate_map(scenario, np.geomspace(1e-7, 1.0, 18), np.geomspace(1e-4, 1.0, 17))
    progress.say("pictures")
    figures = (plots.claims_figure(found), plots.map_figure(places, rates))
    return plots.png(figures[0]), plots.png(figures[1])


@validate.command("figures")
def validate_figures() -> None:
    """What a claim of a device file may name: figures of devices, and closed forms."""
    from transducer.validation.report import show_figures

    show_figures(terminal.console())


@validate.command("links")
def validate_links(
    keys: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="Names in data/links; all by default."),
    ] = None,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Published links: predicted against reported, and what each comparison is worth."""
    from transducer import part_report

    if _one_format(csv, latex):
        found = part_report.link_claims(keys or [])
        text = part_report.links_csv(found) if csv else part_report.links_latex(found)
        typer.echo(text, nl=False)
        return
    part_report.show_links(keys or [], terminal.console())


def cite(
    keys: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="Names of devices or links, or device files of your own."),
    ] = None,
) -> None:
    """BibTeX of the papers behind devices and links."""
    from transducer.citations import bibtex, known_papers, unknown_fields

    if not keys:
        raise DataError(f"name what to cite, one or more of: {', '.join(known_papers())}")
    asked = list(dict.fromkeys(keys))
    typer.echo("\n\n".join([bibtex(key) for key in asked]))
    for key in asked:
        if lacking := unknown_fields(key):
            typer.echo(f"transducer: {key}: not on file: {', '.join(lacking)}", err=True)
