"""The door of the distribution ``transducer-toolkit``.

It makes sure that ``transducer`` is ours, then runs it.

An unrelated distribution on PyPI owns a package that is also named ``transducer``. If that one is
found first, nothing inside our package could say so; this module can.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

CLASH = (
    "the package 'transducer' found at {found} belongs to another distribution, not to "
    "transducer-toolkit; "
    "remove it with 'python -m pip uninstall transducer' and install transducer-toolkit again"
)


def _interrupted(signum: int, frame: FrameType | None) -> None:
    os.write(2, b"\ntransducer: interrupted; nothing was written\n")
    os._exit(130)


def main() -> None:
    """Run the command line, or say in one sentence why another package stands in its place."""
    signal.signal(signal.SIGINT, _interrupted)  # until the command line has loaded its own
    spec = find_spec("transducer")
    found = Path(spec.origin).parent if spec is not None and spec.origin else None
    if found is None or not (found / "cli.py").is_file():
        sys.stderr.write("transducer: " + CLASH.format(found=found) + "\n")
        raise SystemExit(2)
    from transducer.cli import main as run

    run()
