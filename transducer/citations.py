"""References on request: BibTeX of the papers whose numbers were used."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cavities import data
from cavities.errors import DataError
from cavities.numbers import STATUSES, Input
from cavities.sentences import nearest
from transducer.published import read_paper
from transducer.tables import tex


def papers_in(files: Iterable[str]) -> list[str]:
    """Keys of the papers behind some files, sorted; made-up examples are none.

    Parameters
    ----------
    files : iterable of str
        Files that numbers come from, as an `Input` names them.
    """
    parted = (file.partition("/") for file in files)
    keys = {key for kind, _, key in parted if kind in ("devices", "links")}
    return sorted(key for key in keys if key and not key.startswith("example"))


def citation_line(keys: Iterable[str]) -> str:
    """The papers whose numbers a table or a picture used, and how to cite them; empty for none.

    Parameters
    ----------
    keys : iterable of str
        Keys of papers; made-up examples are left out.
    """
    named = [key for key in dict.fromkeys(keys) if not key.startswith("example")]
    if not named:
        return ""
    some = " ".join(named) if len(named) <= 3 else "KEY"
    return f"Papers: {', '.join(named)}. BibTeX: transducer cite {some}"


def rests_on(inputs: Sequence[Input]) -> str:
    """How many numbers a result rests on, how they are known, and whose they are.

    Parameters
    ----------
    inputs : sequence of Input
        The numbers.
    """
    return rests_on_files([(e.file, e.number.status) for e in inputs])


def rests_on_files(known: Sequence[tuple[str, str]]) -> str:
    """The same for numbers of which only their file and their status are at hand.

    Parameters
    ----------
    known : sequence of (str, str)
        File, as an `Input` names it, and status of every number.
    """
    counts = Counter(status for _, status in known)
    listed = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    sentence = f"Rests on {len(known)} inputs: {listed}."
    return f"{sentence} {citation_line(papers_in(file for file, _ in known))}".rstrip()


def known_papers() -> list[str]:
    """Keys that can be cited: shipped devices and links, sorted."""
    names = {*data.names("devices"), *data.names("links")}
    return sorted(name for name in names if not name.startswith("example"))


def bibtex(name: str) -> str:
    """BibTeX entry of a paper.

    Parameters
    ----------
    name : str
        Key in ``data/devices`` or ``data/links``, or a device file of one's own.

    Returns
    -------
    str
        The entry. What the file does not state, authors for example, is left out.

    Raises
    ------
    DataError
        If there is none of that name, or it is a made-up example.
    """
    if name.endswith(".toml") or name in data.names("devices"):
        paper = read_paper(name)
        source = paper.file.source
        if source.family == "example":
            raise DataError(f"'{name}' is a made-up example: there is no paper to cite")
        fields = {
            "title": f"{{{tex(source.title)}}}",
            "author": _authors(source.authors),
            **_journal(source.journal),
            "year": "" if source.year is None else str(source.year),
            "doi": source.doi,
            "eprint": source.arxiv,
            "archiveprefix": "arXiv" if source.arxiv else "",
            "note": f"not looked up: {', '.join(source.recalled)}" if source.recalled else "",
        }
        return _entry(paper.key, fields)
    if name in data.names("links"):
        from fibre.published_links import load_link

        link = load_link(name)
        fields = {
            "title": f"{{{tex(link.title)}}}",
            "year": "" if link.year is None else str(link.year),
            "note": tex(link.source),
        }
        return _entry(link.key, fields)
    raise DataError(f"there is no paper '{name}' to cite; {nearest(name, known_papers())}")


def _authors(text: str) -> str:
    names = [part.strip() for part in text.split(",") if part.strip()]
    return tex(" and ".join("others" if name.rstrip(".") == "et al" else name for name in names))


def unknown_fields(name: str) -> list[str]:
    """What an entry of `bibtex` lacks to be complete: authors, a journal, a year.

    Raises
    ------
    DataError
        As `bibtex`.
    """
    text = bibtex(name)
    wanted = ("author", "journal", "year") if text.startswith("@article") else ("author", "year")
    return [field for field in wanted if f"\n  {field} = " not in text]


def _journal(text: str) -> dict[str, str]:
    """Journal, volume and first page, where they can be told apart."""
    match = re.fullmatch(r"(.+?) (\d+), (\S+)", text)
    if match is None:
        return {"journal": tex(text)}
    return {"journal": tex(match[1]), "volume": match[2], "pages": match[3]}


def _entry(key: str, fields: dict[str, str]) -> str:
    kind = "article" if fields.get("journal") else "misc"
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{Path(key).stem},", *lines, "}"])
