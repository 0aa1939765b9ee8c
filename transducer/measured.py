"""Measured tables: a scattering matrix from a CSV file."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cavities.constants import angular
from cavities.errors import DataError
from transducer.linear import Port
from transducer.tabulated import Tabulated


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV file with a header line and numbers below; lines that begin with # are skipped.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Columns by their header.

    Raises
    ------
    DataError
        If the file is missing, a row has other than one number per column, or a number is not
        finite; the sentence names file, line and column.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"{path}: cannot be read: {reason}; name a CSV file") from None
    lines = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [(k, line) for k, line in lines if not line.lstrip().startswith("#")]
    if len(lines) < 2:
        raise DataError(f"{path}: holds no data; a header line and numbers below it are needed")
    rows = list(csv.reader(line for _, line in lines))
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header) or not all(header):
        raise DataError(f"{path}: line {lines[0][0]}: column names must be there and differ")
    values = np.empty((len(rows) - 1, len(header)))
    for k, row in enumerate(rows[1:]):
        where = f"{path}: line {lines[k + 1][0]}"
        if len(row) != len(header):
            raise DataError(f"{where}: has {len(row)} entries for {len(header)} columns")
        for c, entry in enumerate(row):
            try:
                values[k, c] = float(entry)
            except ValueError:
                raise DataError(f"{where}, column '{header[c]}': {entry!r} is no number") from None
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        k, c = bad[0]
        raise DataError(
            f"{path}: line {lines[k + 1][0]}, column '{header[c]}': must be finite, got "
            f"{values[k, c]}"
        )
    return {name: values[:, c] for c, name in enumerate(header)}


def read_scattering(
    path: Path, occupations: Mapping[str, float], environment: float = 0.0, *, closed: bool = False
) -> Tabulated:
    """Read a measured scattering matrix.

    Parameters
    ----------
    path : Path
        CSV file with a column ``offset_hz`` and, for every pair of ports, ``OUT<IN_re`` and
        ``OUT<IN_im``.
    occupations : mapping of str to float
        The ports and what comes in at them [quanta].
    environment : float
        Occupation of what was not measured [quanta].
    closed : bool
        Take the device to reflect everything outside the measured range.

    Raises
    ------
    DataError
        If a column is missing or unknown; the sentence names it.
    """
    columns = read_columns(path)
    names = list(occupations)
    wanted = {f"{a}<{b}_{part}" for a in names for b in names for part in ("re", "im")}
    missing = sorted((wanted | {"offset_hz"}) - set(columns))
    unknown = sorted(set(columns) - wanted - {"offset_hz"})
    if missing:
        raise DataError(f"{path}: there is no column '{missing[0]}'; write one for every pair")
    if unknown:
        raise DataError(f"{path}: column '{unknown[0]}' belongs to no pair of the stated ports")
    S = np.stack(
        [
            np.stack([columns[f"{a}<{b}_re"] + 1j * columns[f"{a}<{b}_im"] for b in names], -1)
            for a in names
        ],
        axis=-2,
    )
    ports = tuple(Port(name, occupation) for name, occupation in occupations.items())
    return Tabulated(
        np.asarray(angular(columns["offset_hz"])), S, ports, environment, closed=closed
    )
