"""Which version this is, of what, on what: said with every result."""

import sys
from pathlib import Path

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """Versions of this toolkit, of Python, and of the scientific libraries that are loaded."""
    import platform

    found = {"transducer-toolkit": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "qutip", "h5py", "xarray", "matplotlib"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(getattr(module, "__version__", "unknown"))
    return found


def git_revision() -> str:
    """Revision of the checkout the toolkit runs from, with ``-dirty`` for uncommitted changes.

    Empty in a wheel.
    """
    import subprocess

    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            [
                "git",
                "-C",
                str(here),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--exclude=*",
            ],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
