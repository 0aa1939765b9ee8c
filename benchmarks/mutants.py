"""Ways to damage an archive, a running sweep's folder, a scenario, a study: each drawn from a generator alone."""

import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

Rng = np.random.Generator


# --- mutations of bytes ------------------------------------------------------------------------------------------


def _span(rng: Rng, size: int, most: int = 4096) -> tuple[int, int]:
    length = int(min(size, 2 ** rng.uniform(0, np.log2(most))))
    start = int(rng.integers(0, size - length + 1))
    return start, start + length


def flipped(rng: Rng, raw: bytearray) -> str:
    said = []
    for _ in range(int(rng.integers(1, 9))):
        at, bit = int(rng.integers(0, len(raw))), int(rng.integers(0, 8))
        raw[at] ^= 1 << bit
        said.append(f"{at}.{bit}")
    return "bits flipped at " + ", ".join(said)


def overwritten(rng: Rng, raw: bytearray) -> str:
    a, b = _span(rng, len(raw))
    fill = [bytes(b - a), b"\xff" * (b - a), rng.bytes(b - a)][int(rng.integers(0, 3))]
    raw[a:b] = fill
    return f"{a}:{b} overwritten by {fill[:4].hex()}..."


def exchanged(rng: Rng, raw: bytearray) -> str:
    a, b = _span(rng, len(raw) // 2)
    c = int(rng.integers(b, len(raw) - (b - a) + 1))
    raw[a:b], raw[c : c + b - a] = raw[c : c + b - a], raw[a:b]
    return f"{a}:{b} exchanged with {c}:{c + b - a}"


def inserted(rng: Rng, raw: bytearray) -> str:
    at, junk = int(rng.integers(0, len(raw))), rng.bytes(int(2 ** rng.uniform(0, 12)))
    raw[at:at] = junk
    return f"{len(junk)} bytes inserted at {at}"


def doubled(rng: Rng, raw: bytearray) -> str:
    a, b = _span(rng, len(raw))
    raw[b:b] = raw[a:b]
    return f"{a}:{b} doubled"


def removed(rng: Rng, raw: bytearray) -> str:
    a, b = _span(rng, len(raw) - 64)
    del raw[a:b]
    return f"{a}:{b} removed"


def cut(rng: Rng, raw: bytearray) -> str:
    at = (
        int(rng.integers(0, len(raw)))
        if rng.random() < 0.5
        else max(0, len(raw) - int(rng.integers(1, 80)))
    )
    del raw[at:]
    return f"cut to {at} bytes"


def appended(rng: Rng, raw: bytearray) -> str:
    junk = [rng.bytes(int(rng.integers(1, 200))), bytes(4096), bytes(raw[-40:]), bytes(raw)][
        int(rng.integers(0, 4))
    ]
    raw += junk
    return f"{len(junk)} bytes appended"


STRANGERS = (
    b"",
    b"\x00" * 100,
    b"\x89HDF\r\n\x1a\n",
    b"\x89HDF\r\n\x1a\n" + bytes(3000),
    b"CDF\x01" + bytes(200),
    b"CDF\x02" + bytes(200),
    b"\x89PNG\r\n\x1a\n" + bytes(64),
    b"PK\x03\x04" + bytes(64),
    b"schema_version = 1\n",
    b"a letter, not an archive\n" * 20,
    b"TTKSEAL1" + bytes(32),
    b"\xff\xfe" + bytes(range(256)),
)


def replaced(rng: Rng, raw: bytearray) -> str:
    which = int(rng.integers(0, len(STRANGERS)))
    raw[:] = STRANGERS[which]
    return f"replaced by {STRANGERS[which][:12]!r}"


INSIDE = (
    flipped,
    flipped,
    flipped,
    overwritten,
    overwritten,
    exchanged,
    exchanged,
    inserted,
    doubled,
    removed,
)
"""Mutations after which the end of a file still is the mark of a seal, or nearly always."""
ENDING = (cut, cut, appended, replaced)


def mutated(
    rng: Rng, raw: bytes, kinds: Iterable[Callable[[Rng, bytearray], str]]
) -> tuple[bytes, str]:
    kinds, out, said = list(kinds), bytearray(raw), []
    for _ in range(1 if rng.random() < 0.7 else 2):
        if len(out) > 64:
            said.append(kinds[int(rng.integers(0, len(kinds)))](rng, out))
    if bytes(out) == raw:
        said = [flipped(rng, out)]
    return bytes(out), "; ".join(said)


# --- mutations of a folder ---------------------------------------------------------------------------------------

JUNK_JSON = (
    "",
    "{",
    "null",
    "[]",
    "[1, 2]",
    '"text"',
    "{}",
    '{"wall_s": "long", "cpu_s": null}',
    '{"wall_s": NaN, "cpu_s": Infinity, "versions": 3, "started": {}, "executor": [], "points": {}}',
    "[" * 100_000,
    '{"a":' * 50_000,
    "1" * 5000,
    "\x00\x01",
    "\ufeff{}",
)


def folder_mutated(rng: Rng, folder: Path, name: str, originals: Path) -> str:
    """Damage ``NAME.h5.parts`` in place; says how."""
    parts = folder / f"{name}.parts"
    blocks = sorted(p for p in parts.glob("block-*.h5") if p.is_file() and p.stat().st_size > 64)
    runs = sorted(p for p in parts.glob("run-*.json") if p.is_file() and p.stat().st_size > 64)
    if not blocks or not runs or not (parts / "study.h5").is_file():
        return "nothing more to damage"
    block = blocks[int(rng.integers(0, len(blocks)))]
    number = int(rng.integers(0, 12))
    place = parts / f"block-{number:08d}.h5"
    if place.is_dir() or place.is_symlink():
        return "nothing more to damage"
    kind = int(rng.integers(0, 20))
    if kind <= 3:
        raw, said = mutated(rng, block.read_bytes(), (*INSIDE, *ENDING))
        block.write_bytes(raw)
        return f"{block.name}: {said}"
    if kind == 4:
        block.unlink()
        return f"{block.name} deleted"
    if kind == 5:
        block.replace(place)
        return f"{block.name} renamed {place.name}"
    if kind == 6:
        raw = block.read_bytes()
        place.write_bytes(raw)
        return f"{block.name} copied to {place.name}"
    if kind in (7, 8):
        stranger = (
            originals
            / ("stranger.h5.parts", "wider.h5.parts", "resumable.h5.parts")[int(rng.integers(0, 3))]
        )
        theirs = sorted(stranger.glob("block-*.h5"))
        chosen = theirs[int(rng.integers(0, len(theirs)))]
        shutil.copy(chosen, place)
        return f"{place.name} from {stranger.name}/{chosen.name}"
    if kind in (9, 10):
        text = JUNK_JSON[int(rng.integers(0, len(JUNK_JSON)))]
        victim = runs[0] if runs and rng.random() < 0.5 else parts / "run-1-1.json"
        victim.write_text(text, "utf-8")
        return f"{victim.name} = {text[:30]!r} ({len(text)} characters)"
    if kind == 11:
        victim = runs[0]
        raw, said = mutated(rng, victim.read_bytes(), INSIDE)
        victim.write_bytes(raw)
        return f"{victim.name}: {said}"
    if kind in (12, 13):
        raw, said = mutated(rng, (parts / "study.h5").read_bytes(), (*INSIDE, *ENDING))
        (parts / "study.h5").write_bytes(raw)
        return f"study.h5: {said}"
    if kind == 14:
        (parts / "study.h5").unlink()
        return "study.h5 deleted"
    if kind == 15:
        shutil.copy(
            originals
            / ("stranger.h5.parts", "wider.h5.parts")[int(rng.integers(0, 2))]
            / "study.h5",
            parts,
        )
        return "study.h5 of another sweep"
    if kind in (16, 17):
        names = [
            "study.h5",
            "lock",
            block.name,
            "run-5-5.json",
            "merged.tmp",
            f"{block.name}.damaged-1",
            place.name,
        ]
        names.append(f".{place.name}.{os.getpid()}.tmp")
        victim = parts / names[int(rng.integers(0, len(names)))]
        if victim.is_dir():
            return "nothing more to damage"
        victim.unlink(missing_ok=True)
        victim.mkdir()
        if rng.random() < 0.5:
            (victim / "inner").write_bytes(b"something")
        return f"a folder in place of {victim.name}"
    if kind == 18:
        names = [
            "block-1.h5",
            "block-99999999.h5",
            "block-²0000001.h5",
            "block-.h5",
            "merged.tmp",
            "run-x.json",
        ]
        victim = parts / names[int(rng.integers(0, len(names)))]
        if victim.is_dir():
            return "nothing more to damage"
        victim.write_bytes(STRANGERS[int(rng.integers(0, len(STRANGERS)))])
        return f"junk in {victim.name}"
    beside = folder / name
    kept = int(rng.integers(0, 3))
    if kept == 0:
        raw, said = mutated(rng, (originals / "grid.h5").read_bytes(), INSIDE)
        beside.write_bytes(raw)
        return f"a damaged archive beside: {said}"
    if kept == 1:
        block.write_bytes(b"")
        block.unlink()
        block.symlink_to(block.name if rng.random() < 0.5 else "missing")
        return f"{block.name}: a link to itself or to nothing"
    shutil.rmtree(parts)
    parts.write_bytes(b"a file in place of the folder")
    return "a file in place of the folder"


# --- mutations of texts ------------------------------------------------------------------------------------------

NASTY = (
    "nan", "inf", "-inf", "-1", "0", "-0.0", "1e400", "1e308", "1e-308", "-1e308", "1e-400", "5e-324", "1e30", "1e-30",
    "0.5", "2", "3", "1e3", "1", "1.0", "0.999999999999", "'text'", '""', "true", "false", "[]", "[1, 2]", "{}",
    "{ value = 1.0 }", "{ value = nan, where = 'x', status = 'guess' }", "[[[]]]", "10_000_000", "100_000_000",
    "9" * 30, "9" * 400, "9" * 5000, "0x7fffffffffffffff", "9223372036854775808", "1979-05-27", "07:32:00",
    "[nan]", "[1.0, 'a']", "['a', 'a']", "[1, 1]", "[inf, 1]", "[1e308, -1e308]", "[0.1, 0.2, 0.3]",
    "{ value = 0.5, where = 'x', status = 'guess', sigma = 1e300 }",
    "{ value = 0.5, where = 'x', status = 'guess', sigma = 0.4 }",
)  # fmt: skip

WORDS = (
    "red", "blue", "single-click", "two-click", "grid", "zipped", "sobol", "latin-hypercube", "log", "linear",
    "scattering", "fidelity", "coupler", "fibre", "metro", "metro_target", "metro_piezo", "metro_datasheet", "sahu2022",
    "example_piezo", "example_datasheet", "example_black_box", "mirhosseini2020", "low_noise", "../../../etc/passwd",
    "/dev/null", "", " ", "point", "status", "reason", "self", "class", "lambda", "values", "scheme", "station", "arm",
    "arm.path[3].length_km", "arm.path[99].length_km", "arm.path[0].length_km", "arm_a.path[3].length_km", "arm.path",
    "arm.node.bright_population", "arm_b.node.bright_population", "arm.path[3]", "arm..x", "arm.", ".", "arm.path[-1]",
    "arm.transducer.device", "arm.transducer.pump.power_w", "arm.transducer.override.optical.extraction",
    "arm.node.qubit", "arm.node.emission_efficiency.value", "station.gate_s", "station.detector", "schedule.pump_duty",
    "schedule.hold_s", "station.phase_rms_rad", "station.distinguishability", "schema_version", "name", "schemes",
    "arm.transducer.pump.pulse_length_s", "arm.node.photon_fwhm_s", "arm.path[99999999999999999999].length_km",
    "arm.path[" + "9" * 5000 + "].length_km", "out.h5", "/nowhere/out.h5", "missing.toml", "conversion_noise_a",
    "qubit.ibm.heron_r3", "fibre.g652d", "guess", "read", "\\u0000", "a\\u202eb", "a\\nb", "é", "x" * 300,
)  # fmt: skip

NUMBER = re.compile(r"(?<![\w.\"'-])-?\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.\"'])")
STRING = re.compile(r'"[^"\n]*"')
VALUE = re.compile(r"^(\s*[\w.]+\s*=\s*)(.+)$", re.M)
TABLE = re.compile(r"^\[+[\w.]+\]+$", re.M)


def pick(rng: Rng, items: Any) -> Any:
    return items[int(rng.integers(0, len(items)))]


def _one_of(
    rng: Rng, pattern: re.Pattern[str], text: str, new: str | Callable[[re.Match[str]], str]
) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    hit = pick(rng, found)
    put = new if isinstance(new, str) else new(hit)
    return text[: hit.start()] + put + text[hit.end() :]


def _lines(rng: Rng, text: str, change: Callable[[list[str], int], object]) -> str:
    lines = text.split("\n")
    change(lines, int(rng.integers(0, len(lines))))
    return "\n".join(lines)


def _characters(rng: Rng, text: str) -> str:
    out = list(text)
    for _ in range(int(rng.integers(1, 5))):
        if out:
            out[int(rng.integers(0, len(out)))] = chr(int(rng.integers(32, 127)))
    return "".join(out)


def _values_swapped(rng: Rng, text: str) -> str:
    found = list(VALUE.finditer(text))
    if len(found) < 2:
        return text
    a, b = sorted(rng.choice(len(found), 2, replace=False))
    one, two = found[a], found[b]
    middle = text[one.end() : two.start(2)]
    return text[: one.start(2)] + two[2] + middle + one[2] + text[two.end() :]


def _table(rng: Rng, text: str) -> str:
    heads = [m.start() for m in TABLE.finditer(text)]
    if not heads:
        return text
    index = int(rng.integers(0, len(heads)))
    a, b = heads[index], [*heads, len(text)][index + 1]
    piece = text[a:b]
    kind = int(rng.integers(0, 3))
    if kind == 0:
        return text[:a] + text[b:]
    return text[:b] + "\n" + piece + text[b:] if kind == 1 else text[:a] + text[b:] + "\n" + piece


def _nested(rng: Rng, text: str) -> str:
    depth = int(pick(rng, [3, 60, 400, 3000]))
    deep = pick(rng, ["[" * depth + "]" * depth, "{a=" * depth + "1" + "}" * depth, "LONG"])
    if deep == "LONG":
        head = pick(
            rng,
            ["", "arm.transducer.override.", "arm.path.override.", "station.override.detector."],
        )
        return head + ".".join(["a"] * depth) + " = 1\n" + text
    return _one_of(rng, VALUE, text, lambda m: m[1] + deep)


def _renamed(rng: Rng, text: str) -> str:
    def new(m: re.Match[str]) -> str:
        key = m[1].split("=")[0].strip()
        fresh = [
            key + "x",
            key[:-1] or "k",
            key.upper(),
            "'" + key + " '",
            "value",
            "name",
            key + ".value",
            '""',
        ]
        return f"{pick(rng, fresh)} = {m[2]}"

    return _one_of(rng, VALUE, text, new)


def _strange(rng: Rng, text: str) -> str:
    odd = [
        "\x00",
        "\x07",
        "\x1b[31m",
        "\u202e",
        "\u200b",
        "\ud7ff",
        "\U0001f600",
        "é",
        "\u2028",
        "\r",
        "\x85",
        "\x7f",
    ]
    at = int(rng.integers(0, len(text) + 1))
    if rng.random() < 0.5:
        return _one_of(rng, STRING, text, lambda m: m[0][:-1] + pick(rng, odd) + '"')
    return text[:at] + pick(rng, odd) * int(rng.integers(1, 4)) + text[at:]


def _long(rng: Rng, text: str) -> str:
    size = int(pick(rng, [61, 201, 5000, 300_000]))
    if rng.random() < 0.3:
        return _one_of(rng, VALUE, text, lambda m: "k" * size + " = " + m[2])
    return _one_of(rng, STRING, text, f'"{"x" * size}"')


SWEPT_KEYS = (
    "arm.path[3].length_km", "arm.node.bright_population", "station.phase_rms_rad", "station.phase_change_rms_rad",
    "station.distinguishability", "station.gate_s", "arm.node.photon_fwhm_s", "arm.node.emission_efficiency",
    "arm.node.offset_hz", "arm.transducer.pump.cooperativity", "arm.transducer.pump.power_w",
    "arm.transducer.pump.pulse_length_s", "arm.transducer.pump.detuning_hz", "arm.transducer.pump.rise_s",
    "schedule.reset_s", "schedule.feedback_s", "schedule.pump_duty", "schedule.lock_duty", "schedule.hold_s",
    "schedule.repetition_rate_hz", "arm.path[2].count", "arm_a.node.bright_population", "arm_b.path[3].length_km",
    "arm.transducer.override.optical.extraction", "arm.transducer.override.optical.overlap",
    "arm.transducer.override.microwave.kappa_int_hz", "arm.transducer.override.heating.low_noise",
    "arm.transducer.override.pulse.repetition_rate_hz", "arm.path[0].override.values.insertion_loss_db",
    "station.override.detector.values.dark_count_hz", "station.override.detector.values.efficiency",
)  # fmt: skip


def _other_axis(rng: Rng, text: str) -> str:
    """Another key on an axis of a study, over a range that may be absurd."""
    heads = [m.start() for m in re.finditer(r"^\[\[axes\]\]$", text, re.M)]
    if not heads:
        return text
    index = int(rng.integers(0, len(heads)))
    a, b = heads[index], [*heads, len(text)][index + 1]
    ends = sorted(
        float(v)
        for v in 10.0 ** rng.uniform(-3, 3, 2) ** pick(rng, [1, 1, 2]) * pick(rng, [1.0, 1e-6, 1e6])
    )
    if rng.random() < 0.3:
        ends[0] = float(pick(rng, [0.0, -ends[0], 1e-300, 5e-324]))
    if rng.random() < 0.2:
        ends[1] = float(pick(rng, [1e300, 1e155, 1.7e308, 1e15]))
    piece = re.sub(r"^keys = .*$", f'keys = ["{pick(rng, SWEPT_KEYS)}"]', text[a:b], flags=re.M)
    piece = re.sub(r"^start = .*$", f"start = {ends[0]!r}", piece, flags=re.M)
    return text[:a] + re.sub(r"^stop = .*$", f"stop = {ends[1]!r}", piece, flags=re.M) + text[b:]


def _shuffled(rng: Rng, text: str) -> str:
    return _lines(
        rng, text, lambda lines, i: lines.insert(int(rng.integers(0, len(lines))), lines.pop(i))
    )


TEXT_KINDS: tuple[tuple[str, Callable[[Rng, str], str]], ...] = (
    ("characters", _characters),
    ("line deleted", lambda rng, t: _lines(rng, t, lambda lines, i: lines.pop(i))),
    ("line doubled", lambda rng, t: _lines(rng, t, lambda lines, i: lines.insert(i, lines[i]))),
    ("line moved", _shuffled),
    ("values swapped", _values_swapped),
    ("values swapped", _values_swapped),
    *(("number", lambda rng, t: _one_of(rng, NUMBER, t, pick(rng, NASTY))),) * 6,
    *(("scaled", lambda rng, t: _one_of(rng, NUMBER, t, lambda m: f"{_scaled(rng, m[0])!r}")),) * 8,
    *(("value", lambda rng, t: _one_of(rng, VALUE, t, lambda m: m[1] + pick(rng, NASTY))),) * 3,
    *(("word", lambda rng, t: _one_of(rng, STRING, t, f'"{pick(rng, WORDS)}"')),) * 3,
    *(("other axis", _other_axis),) * 4,
    ("renamed", _renamed),
    ("table", _table),
    ("table", _table),
    ("nested", _nested),
    ("strange", _strange),
    ("long", _long),
    ("CRLF", lambda rng, t: t.replace("\n", "\r\n")),
    ("BOM", lambda rng, t: "\ufeff" + t),
    ("cut", lambda rng, t: t[: int(rng.integers(0, len(t) + 1))]),
)


def _scaled(rng: Rng, number: str) -> float:
    value = float(number.replace("_", ""))
    return value * float(
        pick(rng, [-1.0, 0.1, 10.0, 1e3, 1e-3, 1e9, 1e-9, 1e100, 1e-100, 1e300, 1 + rng.normal()])
    )


def sources() -> list[tuple[str, str, str]]:
    """Kind, name and text of what is mutated."""
    out = []
    for kind in ("scenarios", "studies"):
        for path in sorted((ROOT / "data" / kind).glob("*.toml")):
            out.append((kind, path.stem, path.read_text("utf-8")))
    tolerances = next(text for _, name, text in out if name == "tolerances")
    side = re.sub(r"^sampler = .*$", 'sampler = { kind = "zipped" }', tolerances, flags=re.M)
    side = re.sub(r"^(stop = .*)$", r"\1" + "\ncount = 6", side, flags=re.M)
    out.append(("studies", "zipped", side))
    out.append(("studies", "hypercube", tolerances.replace('"sobol"', '"latin-hypercube"')))
    words = next(text for _, name, text in out if name == "metro_distance")
    words += '\n[[axes]]\nname = "device"\nkeys = ["arm.node.qubit"]\nvalues = ["mem.srf.qubit34ms", "missing"]\n'
    out.append(("studies", "words", words))
    return out


def text_mutated(rng: Rng, text: str, study: bool) -> tuple[bytes, str]:
    said = []
    if study and rng.random() < 0.99:  # few points, so that many mutants can be run
        text = re.sub(r"count = (\d+)", lambda m: f"count = {int(rng.integers(1, 5))}", text)
    for _ in range(int(pick(rng, [1, 1, 1, 2, 2, 4]))):
        name, change = TEXT_KINDS[int(rng.integers(0, len(TEXT_KINDS)))]
        text = change(rng, text)
        said.append(name)
    raw = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.02:
        at = int(rng.integers(0, len(raw) + 1))
        raw = (
            raw[:at]
            + pick(rng, [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xfe\xff", b"\x80"])
            + raw[at:]
        )
        said.append("not UTF-8")
    return raw, ", ".join(said)
