"""An unrelated distribution named ``transducer`` installs a package of the same name.

Say so instead of mixing with it.
"""

import sys
from pathlib import Path


def refuse_namesake() -> None:
    """Refuse to be imported beside the distribution ``transducer``.

    Its files share our package's folder name.

    Raises
    ------
    ImportError
        Says which of the two to remove.
    """
    for entry in sys.path:
        folder = Path(entry or ".")
        found = next(folder.glob("transducer-[0-9]*.*-info"), None) if folder.is_dir() else None
        if found is not None:
            raise ImportError(
                "an unrelated distribution named 'transducer' is installed beside "
                f"transducer-toolkit ({found}); both own "
                "the package 'transducer', so neither can be trusted: run 'python -m pip "
                "uninstall transducer' and "
                "install transducer-toolkit again"
            )
