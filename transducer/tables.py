"""Tables that leave the terminal: as CSV with numbers in full, as LaTeX that needs no package."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
"""What TeX does not print as it stands."""


def tex(text: str) -> str:
    r"""Text with TeX's special characters escaped.

    Examples
    --------
    >>> tex("87 % of g_0")
    '87 \\% of g\\_0'
    """
    return "".join(SPECIAL.get(character, character) for character in text)


def tex_numbers(text: str) -> str:
    r"""Words of numbers as mathematics: powers of ten, bounds and signs of uncertainty.

    Examples
    --------
    >>> tex_numbers("1.2e-06 ±3e-07")
    '$1.2\\times10^{-6}$ $\\pm 3\\times10^{-7}$'
    """
    words = []
    for word in text.split():
        sign = ""
        if word[0] in "±+-<>" and len(word) > 1:
            sign, word = word[0], word[1:]
        if "e" in word and not word.isalpha():
            mantissa, exponent = word.split("e")
            word = rf"{mantissa}\times10^{{{int(exponent)}}}"
        symbol = sign.replace("±", r"\pm ").replace("<", "< ").replace(">", "> ")
        words.append(word if word.isalpha() else f"${symbol}{word}$")
    return " ".join(words)


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A header that names the columns, then a line for each row; None is an empty field.

    Parameters
    ----------
    columns : sequence of str
        Names, in order.
    rows : iterable of mapping
        A value for every column.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def latex_of(
    align: str, header: Sequence[str], rows: Iterable[Sequence[str]], comment: str = ""
) -> str:
    r"""A LaTeX ``tabular``; it needs no package.

    Parameters
    ----------
    align : str
        One letter for each column: l, c or r.
    header : sequence of str
        Names of the columns, in TeX.
    rows : iterable of sequence of str
        Cells, in TeX.
    comment : str
        A line for whoever reads the source.
    """
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\hline", " & ".join(header) + r" \\", r"\hline"]
    lines += [" & ".join(cells) + r" \\" for cells in rows]
    lines += [r"\hline", r"\end{tabular}"]
    if comment:
        lines.append(f"% {comment}")
    return "\n".join(lines) + "\n"
