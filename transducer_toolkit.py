"""The door of the distribution ``transducer-toolkit``.

An unrelated distribution on PyPI owns a package that is also named ``transducer``. If that one is
found first, nothing inside our package could say so; this module can.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

REMEDY = (
    "run 'python -m pip uninstall transducer' and install transducer-toolkit again: both own the "
    "package 'transducer', so they cannot live in one environment"
)


def namesake() -> str | None:
    """Say in a sentence that the unrelated distribution ``transducer`` is in the way, if it is."""
    for entry in sys.path:
        folder = Path(entry or ".")
        found = next(folder.glob("transducer-[0-9]*.*-info"), None) if folder.is_dir() else None
        if found is not None:
            return (
                "an unrelated distribution named 'transducer' is installed beside "
                f"transducer-toolkit ({found}); {REMEDY}"
            )
    spec = find_spec("transducer")
    place = Path(spec.origin).parent if spec is not None and spec.origin else None
    if place is None or not (place / "cli.py").is_file():
        return f"the package 'transducer' found at {place} is another one; {REMEDY}"
    return None


def _interrupted(signum: int, frame: FrameType | None) -> None:
    os.write(2, b"\ntransducer: interrupted; nothing was written\n")
    os._exit(130)


def main() -> None:
    """Run the command line, or say in one sentence why another package stands in its place."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # until the command line has loaded its own
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupted)
    problem = namesake()
    if problem is not None:
        sys.stderr.write(f"transducer: {problem}\n")
        raise SystemExit(2)
    from transducer.cli import main as run

    run()
