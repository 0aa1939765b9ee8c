"""A link as an archive: figures, spectra, budget, and every input it rests on."""

import io
import json
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from cavities.constants import ordinary
from cavities.numbers import count_by_status
from cavities.rules import Status
from fibre.budget import Row
from fibre.figures import LinkFigures
from transducer.disk import sealed
from transducer.simulation import ArmConversion, LinkReport, frequencies_hz, verdict
from transducer.sweeps.shards import SCHEMA, SCHEMA_VERSION, store_text
from transducer.version import git_revision, versions

if TYPE_CHECKING:
    import h5py
    import xarray


def dataset_of(report: LinkReport) -> "xarray.Dataset":
    """Figures of a link as a sweep with one axis, the heralding scheme.

    Units and long names on every variable.
    """
    import xarray

    outcomes = report.outcomes
    variables: dict[str, tuple[list[str], object, dict[str, str]]] = {}
    for entry in fields(LinkFigures):
        values = [float(getattr(o.figures, entry.name)) for o in outcomes]
        variables[entry.name] = (["scheme"], np.array(values), _attributes(entry.metadata))
    for found in report.conversions:
        for name, value, unit, meaning in _conversion_figures(found):
            variables[f"{name}_{found.arm.lower()}"] = (
                [],
                np.array(value),
                {"units": unit, "long_name": f"{meaning}, arm {found.arm}"},
            )
    states = np.stack([o.pair.normalised for o in outcomes])
    basis = {"units": "1", "long_name": "delivered density matrix, basis 00 01 10 11"}
    variables["state_real"] = (["scheme", "row_state", "column_state"], states.real, basis)
    variables["state_imag"] = (["scheme", "row_state", "column_state"], states.imag, basis)
    variables["status"] = (
        ["scheme"],
        np.full(len(outcomes), Status.OK, dtype=np.int8),
        {"units": "1", "long_name": "status of the point, 0 is computed"},
    )
    variables["reason"] = (
        ["scheme"],
        np.array([""] * len(outcomes), dtype=object),
        {"long_name": "why a point failed, in a sentence"},
    )
    names = np.array([o.scheme.value for o in outcomes], dtype=object)
    labels = np.array(["00", "01", "10", "11"], dtype=object)
    dataset = xarray.Dataset(
        {name: (dims, values, attrs) for name, (dims, values, attrs) in variables.items()},
        coords={
            "scheme": ("scheme", names, {"long_name": "heralding scheme"}),
            "row_state": labels,
            "column_state": labels,
        },
    )
    scenario = report.scenario
    dataset.attrs = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "title": scenario.title or scenario.name,
        "scenario": scenario.name,
        "engine": report.engine,
        "verdict": verdict(report),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "inputs_by_status": json.dumps(count_by_status(scenario.inputs)),
        "git_revision": git_revision(),
        "versions": json.dumps(versions()),
    }
    return dataset


def _conversion_figures(found: ArmConversion) -> tuple[tuple[str, float, str, str], ...]:
    signal = found.at_signal
    return (
        ("conversion_efficiency", float(signal.efficiency[0]), "1", "efficiency at the signal"),
        (
            "conversion_noise",
            float(signal.added_noise[0]),
            "quanta",
            "noise referred to the source",
        ),
        ("conversion_bandwidth", float(np.max(ordinary(found.bandwidth))), "Hz", "full width"),
    )


def _attributes(metadata: object) -> dict[str, str]:
    assert hasattr(metadata, "__getitem__")
    return {"units": metadata["unit"], "long_name": metadata["long_name"]}


Variable = tuple[list[str], "np.ndarray", dict[str, str]]
"""Dimensions, values and attributes of one variable."""

BUDGET_NUMBERS = {
    "loss_db": ("dB", "typical loss"),
    "loss_db_max": ("dB", "worst-case loss"),
    "cumulative_db": ("dB", "loss since the emitter"),
    "transmittance": ("1", "transmission"),
    "added_noise": ("quanta", "noise added at the element's output"),
    "delay_s": ("s", "travel time"),
}
BUDGET_WORDS = {"arm": "arm", "element": "element", "basis": "status of its weakest number"}


def _budget_variables(rows: Sequence[Row]) -> dict[str, Variable]:
    """Turn the rows of the budget into one variable per column."""
    columns: dict[str, Variable] = {}
    for name, (unit, meaning) in BUDGET_NUMBERS.items():
        values = np.array([float(getattr(row, name)) for row in rows])
        columns[f"budget_{name}"] = (
            ["budget_row"],
            values,
            {"units": unit, "long_name": meaning},
        )
    for name, meaning in BUDGET_WORDS.items():
        words = np.array([getattr(row, name) for row in rows], dtype=object)
        columns[f"budget_{name}"] = (["budget_row"], words, {"long_name": meaning})
    return columns


def _spectrum_variables(found: Sequence[ArmConversion], ports: list[str]) -> dict[str, Variable]:
    """Efficiency and noise of both devices on their own frequencies."""
    line = ["arm", "sample"]
    by_port = [
        [c.spectrum.contributions.get(p, 0 * c.spectrum.omega) for p in ports] for c in found
    ]

    def variable(dims: list[str], values: object, unit: str, meaning: str) -> Variable:
        return dims, np.array(values), {"units": unit, "long_name": meaning}

    planes = np.array([c.reference_plane for c in found], dtype=object)
    meaning = {"long_name": "where efficiency and noise are counted"}
    return {
        "frequency_offset": variable(
            line,
            [frequencies_hz(c.spectrum) for c in found],
            "Hz",
            "offset from the device's frame",
        ),
        "efficiency": variable(
            line,
            [c.spectrum.efficiency for c in found],
            "1",
            "conversion efficiency, see reference_plane",
        ),
        "noise_out": variable(
            line,
            [c.spectrum.noise_out for c in found],
            "quanta",
            "output noise, normally ordered",
        ),
        "noise_by_port": variable(
            ["arm", "port", "sample"], by_port, "quanta", "output noise by port of origin"
        ),
        "bandwidth": variable(
            ["arm"], [ordinary(c.bandwidth) for c in found], "Hz", "full width at half maximum"
        ),
        "reference_plane": (["arm"], planes, meaning),
    }


def detail_of(report: LinkReport) -> "xarray.Dataset":
    """Spectra of both devices and the rows of the budget, for the group ``detail``."""
    import xarray

    found = report.conversions
    ports = list(dict.fromkeys(p for c in found for p in c.spectrum.contributions))
    return xarray.Dataset(
        {**_budget_variables(report.rows), **_spectrum_variables(found, ports)},
        coords={
            "arm": np.array([c.arm for c in found], dtype=object),
            "port": np.array(ports, dtype=object),
        },
    )


def link_bytes(report: LinkReport) -> bytes:
    """Make the archive of a link, in memory: libhdf5 never sees a disk that may be full.

    Root group: figures on their axes. Group ``detail``: spectra and budget. Group ``inputs``: the
    scenario as used, every device and part file with its SHA-256, and every number with address and
    status; text as checksummed bytes.
    """
    import h5netcdf
    import h5py
    from xarray.backends import H5NetCDFStore

    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for dataset, group in ((dataset_of(report), None), (detail_of(report), "detail")):
            checked = {n: {"fletcher32": True} for n, v in dataset.items() if v.dtype.kind in "fi"}
            with h5netcdf.File(file, "a") as netcdf:
                store = H5NetCDFStore(netcdf, group=group, mode="a", autoclose=False)
                dataset.dump_to_store(store, encoding=checked)
                store.sync()
        _add_inputs(file, report)
    return sealed(memory.getvalue())


def _add_inputs(file: "h5py.File", report: LinkReport) -> None:
    scenario = report.scenario
    texts = {"scenario.json": json.dumps(scenario.raw, sort_keys=True)}
    texts |= {
        f"{name}.toml" if name.startswith(("devices/", "parts/")) else name: text
        for name, text in scenario.files.items()
    }
    texts["inputs.json"] = json.dumps(
        [{"file": e.file, "key": e.key, **e.number.model_dump()} for e in scenario.inputs]
    )
    inputs = file.create_group("inputs")
    for name, text in texts.items():
        store_text(inputs, name.replace("/", "."), text)
