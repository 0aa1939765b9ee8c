"""The command line as a user meets it: real processes, real files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cavities import data

METRO = (data.root("scenarios") / "metro.toml").read_text("utf-8")
QUICK = ["--engine", "scattering", "--no-files"]


def transducer(
    *arguments: str, cwd: Path, env: dict | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transducer", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=env,
    )


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("transducer: ")
    assert "Traceback" not in done.stderr
    assert not set("│╭╰─┃") & set(done.stderr)
    for word in words:
        assert word in done.stderr, (word, done.stderr)


@pytest.mark.slow
def test_the_default_command_prints_tables_and_a_verdict_and_writes_two_files(
    tmp_path: Path,
) -> None:
    start = time.monotonic()
    done = transducer("link", cwd=tmp_path)
    assert time.monotonic() - start < 60
    assert done.returncode == 0, done.stderr
    for word in (
        "master-equation",
        "agree",
        "added noise [quanta]",
        "arm A [quanta]",
        "B [quanta]",
        "G.652.D",
        "relay bound",
        "two-click",
        "No entanglement",
        "guess",
        "recalled",
        "One-sigma band",
    ):
        assert word in done.stdout
    (archive,) = (tmp_path / "results").glob("metro-*.h5")
    picture = archive.with_suffix(".png")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [p.name for p in (tmp_path / "results").iterdir() if p.name.startswith(".")] == []
    again = transducer("link", cwd=tmp_path)
    assert again.returncode == 0
    assert len(list((tmp_path / "results").glob("*.h5"))) == 2


@pytest.mark.parametrize("name", ["metro", "metro_target", "metro_datasheet"])
def test_json_is_one_object_and_nothing_else(name: str, tmp_path: Path) -> None:
    done = transducer("link", name, "--json", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["scenario"]["name"] == name
    assert listing(tmp_path) == {}


def test_one_protocol_on_request(tmp_path: Path) -> None:
    done = transducer("link", "--protocol", "single-click", "--json", *QUICK, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert [p["herald"]["protocol"] for p in found["protocols"]] == ["single-click"]


def test_the_master_equation_alone_carries_the_link_too(tmp_path: Path) -> None:
    both = [
        json.loads(
            transducer("link", "--json", "--engine", engine, "--no-files", cwd=tmp_path).stdout
        )
        for engine in ("master-equation", "scattering")
    ]
    assert both[0]["conversion"]["engine"] == "master-equation"
    for key in ("probability", "fidelity"):
        assert both[0]["herald"][key] == pytest.approx(both[1]["herald"][key], rel=1e-6)


@pytest.mark.slow
def test_a_noise_beyond_any_fock_space_is_computed_by_scattering_and_said(tmp_path: Path) -> None:
    hot = METRO.replace(
        'pump.sideband = "red"',
        "override.heating.low_noise = 50.0\noverride.heating.high_noise = 60.0",
        1,
    )
    (tmp_path / "hot.toml").write_text(hot, "utf-8")
    done = transducer("link", "hot.toml", "--json", "--no-files", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["referee"]["engine"] == "none"
    assert "Fock space of dimension" in found["referee"]["note"]
    alone = transducer(
        "link", "hot.toml", "--engine", "master-equation", "--no-files", cwd=tmp_path
    )
    refused(alone, "hot.toml", "Fock space of dimension", "scattering and pulse engines are exact")


EDITS = {
    "unknown key": (
        "bright_population",
        "bright_populatoin",
        ["bright_populatoin", "did you mean 'bright_population'?"],
    ),
    "unknown table": ("[station]", "[stattion]", ["stattion", "did you mean 'station'?"]),
    "wrong type": (
        "photon_fwhm_s = 40e-9",
        'photon_fwhm_s = "40 ns"',
        ["photon_fwhm_s", "'40 ns'", "number"],
    ),
    "a switch where a number belongs": ("gate_s = 100e-9", "gate_s = true", ["gate_s", "number"]),
    "negative": (
        "length_km = 12.5",
        "length_km = -12.5",
        ["length_km", "-12.5", ">= 0"],
    ),
    "efficiency above one": (
        "value = 0.9, status",
        "value = 1.9, status",
        ["emission_efficiency", "1.9", "> 0 and <= 1"],
    ),
    "not a number": ("gate_s = 100e-9", "gate_s = nan", ["gate_s", "finite"]),
    "infinite": ("hold_s = 10.0", "hold_s = inf", ["hold_s", "finite"]),
    "no such device": (
        'device = "sahu2022"',
        'device = "sahu2023"',
        ["sahu2023", "did you mean 'sahu2022'?"],
    ),
    "no such part": (
        '"fibre.g652d"',
        '"fibre.g652"',
        ["fibre.g652", "did you mean 'fibre.g652d'?"],
    ),
    "no such operating point": (
        '"low_noise"',
        '"low_nois"',
        ["low_nois", "did you mean 'low_noise'?"],
    ),
    "not a scheme": ('"two-click"]', '"two-clicks"]', ["two-clicks", "'two-click'"]),
    "blue above threshold": (
        'pump.sideband = "red"',
        'pump.sideband = "blue"\npump.cooperativity = 1.2',
        ["unstable", "threshold at cooperativity 1", "lower the pump power"],
    ),
    "blue below threshold": (
        'pump.sideband = "red"',
        'pump.sideband = "blue"',
        ["blue pump", "'red'"],
    ),
    "two powers": (
        'pump.sideband = "red"',
        "pump.power_w = 0.1\npump.cooperativity = 1.2",
        ["power_w", "cooperativity", "not both"],
    ),
    "no pump at all": (
        'operating_point = "low_noise"\n',
        "",
        ["operating_point", "low_noise", "power_w"],
    ),
    "a dark device": (
        'pump.sideband = "red"',
        "pump.power_w = 0.0",
        ["converts nothing", "raise the pump power"],
    ),
    "syntax": ("[station]", "[station", ["not valid TOML", "line"]),
    "a missing key": ("gate_s = 100e-9\n", "", ["station.gate_s", "missing"]),
    "a pulse too short": (
        'pump.sideband = "red"',
        "pump.pulse_length_s = 2e-8",
        ["pulse", "lengthen"],
    ),
    "no pump rejection": (
        "count = 4",
        "count = 1",
        ["a detector fires in every gate", "pump photons", "add pump-rejection filters"],
    ),
    "a misspelt override of the station": (
        "[schedule]",
        "[station.override]\ndetecter.values.efficiency = 0.1\n[schedule]",
        ["station.override.detecter", "did you mean 'detector'?"],
    ),
    "an override of the file's name": (
        'pump.sideband = "red"',
        'override.key = "x"',
        ["'key' names the file", "leave it out"],
    ),
    "both of an exclusive pair": (
        'pump.sideband = "red"',
        "override.optical.extraction = 0.5\noverride.optical.kappa_ext_hz = 1e6",
        ["exclude each other"],
    ),
    "an empty override": (
        'pump.sideband = "red"',
        "override.optical.kappa_int_hz = {}",
        ["kappa_int_hz"],
    ),
    "a plane without a power": (
        'pump.sideband = "red"',
        'pump = { plane = "fibre", insertion = 0.5 }',
        ["plane", "insertion", "power_w"],
    ),
    "a connector as beam splitter": (
        '"passive.bs5050"',
        '"conn.lc_apc"',
        ["station.splitter", "no beam splitter", "passive.bs5050"],
    ),
    "a yes where a version belongs": (
        "schema_version = 1",
        "schema_version = true",
        ["schema_version"],
    ),
    "arms that never interfere": (
        "[station]",
        "[arm_b.transducer.override]\noptical.wavelength_nm = 1549.0\n[station]",
        ["carriers", "do not interfere"],
    ),
    "a misspelt value": (
        'pump.sideband = "red"',
        'pump.sideband = "rde"',
        ["sideband", "did you mean 'red'?"],
    ),
    "an absurd length": (
        "length_km = 12.5",
        "length_km = 1e300",
        ["G.652.D", "no light comes through"],
    ),
    "an absurd exponent": ("photon_fwhm_s = 40e-9", "photon_fwhm_s = 5e-324", ["mine.toml"]),
    "an absurd coupling": (
        'pump.sideband = "red"',
        "override.coupling.g0_hz = 1e300",
        ["mine.toml"],
    ),
    "a detector in an arm": (
        'part = "conn.uncooled_to_cryo_feedthrough"',
        'part = "det.snspd.commercial"',
        ["det.snspd.commercial", "cannot stand in an arm"],
    ),
    "a fibre without length": ("length_km = 12.5\n", "", ["fibre.g652d", "length_km"]),
    "a length without fibre": (
        'part = "conn.uncooled_to_cryo_feedthrough"',
        'part = "conn.uncooled_to_cryo_feedthrough"\nlength_km = 1.0',
        ["conn.uncooled_to_cryo_feedthrough", "length_km"],
    ),
    "a qubit that is a fibre": (
        'qubit = "qubit.ibm.heron_r3"',
        'qubit = "fibre.g652d"',
        ["fibre.g652d", "not a qubit"],
    ),
    "an override that does not exist": (
        'pump.sideband = "red"',
        "override.coupling.g_0_hz = 40.0",
        ["coupling.g_0_hz", "did you mean 'g0_hz'?"],
    ),
    "a rate below zero by override": (
        'pump.sideband = "red"',
        "override.optical.kappa_int_hz = -1.0",
        ["optical.kappa_int_hz", "-1.0"],
    ),
    "another version": ("schema_version = 1", "schema_version = 2", ["schema_version", "2"]),
    "an arm that is no table": ("[arm.transducer]", "arm_a = 3\n[arm.transducer]", ["arm_a"]),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_mistake_in_a_scenario_is_one_sentence_and_changes_nothing(
    case: str, tmp_path: Path
) -> None:
    old, new, words = EDITS[case]
    assert old in METRO
    text = METRO.replace(old, new, 1)
    if case == "an arm that is no table":
        text = METRO.replace("schema_version = 1", "schema_version = 1\narm_a = 3", 1)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    before = listing(tmp_path)
    done = transducer("link", "mine.toml", cwd=tmp_path)
    # a mistake is in the scenario, or in a data file that it names or overrides
    assert "mine.toml" in done.stderr or "data/" in done.stderr or "parts/" in done.stderr
    refused(done, *words)
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["link", "--engin", "all"], ["--engin", "--engine"]),
        (["link", "--engine", "scatering"], ["scatering", "did you mean 'scattering'?"]),
        (["link", "--protocol", "one-click"], ["one-click", "single-click"]),
        (["link", "missing.toml"], ["missing.toml", "no such file"]),
        (["link", "metr"], ["metr", "did you mean 'metro'?"]),
        (["link", "."], ["."]),
        (["link", "metro", "extra"], ["extra"]),
        (["lnk"], ["lnk"]),
        (["link", "--out"], ["--out"]),
        (["link", "--out", "x.hdf"], ["x.hdf", ".h5"]),
        (["link", "--out", "x.h5", "--no-files"], ["x.h5", "--no-files"]),
    ],
)
def test_a_mistaken_option_is_one_sentence(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    refused(transducer(*arguments, cwd=tmp_path), *words)
    assert listing(tmp_path) == {}


def test_an_archive_is_never_overwritten_unless_told_to(tmp_path: Path) -> None:
    out = ["--out", "here.h5", "--engine", "scattering"]
    assert transducer("link", *out, cwd=tmp_path).returncode == 0
    before = listing(tmp_path)
    refused(transducer("link", *out, cwd=tmp_path), "here.h5", "--overwrite")
    assert listing(tmp_path) == before
    (tmp_path / "here.h5").unlink()
    refused(transducer("link", *out, cwd=tmp_path), "here.png", "--overwrite")
    assert transducer("link", *out, "--overwrite", cwd=tmp_path).returncode == 0
    assert sorted(listing(tmp_path)) == ["here.h5", "here.png"]


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that refuses even root")
def test_a_folder_that_refuses_files_is_one_sentence(tmp_path: Path) -> None:
    done = transducer("link", "--engine", "scattering", "--out", "/proc/a.h5", cwd=tmp_path)
    refused(done, "/proc/a.h5", "cannot be written")


def test_valid_edges_are_not_mistakes(tmp_path: Path) -> None:
    for old, new in (
        ("bright_population = 0.2", "bright_population = 1"),
        ("length_km = 12.5", "length_km = 0"),
        ("length_km = 12.5", "length_km = 900"),
        ("[station]", '[arm_b.transducer]\ndevice = "example_datasheet"\n[station]'),
        ("[station]", "[arm_b.transducer.pump]\npower_w = 0.1\n[station]"),
        ("[station]", "[arm_b.node]\noffset_hz = 3e6\n[station]"),
        ('pump.sideband = "red"', "override.baths.waveguide_occupation = 0.1"),
        ("title = ", 'title = "[/red] $x_{ $" #'),
    ):
        assert old in METRO
        (tmp_path / "mine.toml").write_text("\ufeff" + METRO.replace(old, new, 1), "utf-8")
        for json_ in ([], ["--json"]):
            done = transducer("link", "mine.toml", *QUICK, *json_, cwd=tmp_path)
            assert done.returncode == 0, (new, done.stderr)
            assert done.stderr == ""


def test_a_users_dollars_and_brackets_are_only_text(tmp_path: Path) -> None:
    text = METRO.replace('name = "metro"', 'name = "a $\\\\foo_{ [/b] $"', 1)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    done = transducer("link", "mine.toml", "--engine", "scattering", "--out", "x.h5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.toml", "x.h5", "x.png"]


def test_a_full_standard_output_is_one_sentence(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "transducer", "link", *QUICK],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "standard output cannot be written" in done.stderr


def test_a_place_that_cannot_hold_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = transducer("link", "--engine", "scattering", "--out", "file/a.h5", cwd=tmp_path)
    refused(done, "a.h5")
    assert listing(tmp_path) == {"file": b"x"}


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.4, 1.0, 1.6, 2.0])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_no_half_file(
    delay: float, sent: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from transducer_toolkit import main; main()",
            *("link", "--out", "a.h5"),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    left = {p.name for p in tmp_path.iterdir()}
    assert left <= {"a.h5", "a.png"}, left  # whole files or none, never a temporary one
    # before the first line of ours runs and while the interpreter shuts down, the signal itself ends it
    assert process.returncode in (0, 130, -sent), said
    assert process.returncode == 130 or left in (set(), {"a.h5", "a.png"})
    assert "Traceback" not in said
    assert ("interrupted" in said) is (process.returncode == 130)
    if "a.h5" in left:
        import h5py

        with h5py.File(tmp_path / "a.h5") as file:
            assert "inputs" in file


HEAVY = ["qutip", "h5py", "matplotlib", "xarray", "scipy.stats"]


@pytest.mark.parametrize(
    "code",
    [
        "import transducer",
        "import sys; sys.argv = ['transducer', '--help']; from transducer_toolkit import "
        "main\ntry: main()\nexcept SystemExit: pass",
        "import sys; sys.argv = ['transducer', 'link', '--engine', 'scattering', '--no-files']; "
        "from transducer_toolkit import main\ntry: main()\nexcept SystemExit: pass",
        "import sys; sys.argv = ['transducer', 'link', '--engine', 'scattering', '--no-files', "
        "'--json']; "
        "from transducer_toolkit import main\ntry: main()\nexcept SystemExit: pass",
    ],
)
def test_the_light_ways_load_nothing_heavy(code: str, tmp_path: Path) -> None:
    check = f"\nimport sys\nprint('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + check],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("LOADED []"), done.stdout[-300:]


def test_help_and_version(tmp_path: Path) -> None:
    help_ = transducer("--help", cwd=tmp_path)
    assert help_.returncode == 0
    assert "link" in help_.stdout
    version = transducer("--version", cwd=tmp_path)
    assert version.stdout.strip() == "0.1.0"
    bare = transducer(cwd=tmp_path)
    assert bare.returncode in (0, 2)
