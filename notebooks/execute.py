"""Execute every notebook of this folder from top to bottom; a failing cell fails the run.

With ``--keep FOLDER`` the executed notebooks are written there, pictures included.
"""

import argparse
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=None)
    keep = parser.parse_args().keep
    for path in sorted(Path(__file__).resolve().parent.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        start = time.monotonic()
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
        ).execute()
        print(f"{path.name}: {len(notebook.cells)} cells in {time.monotonic() - start:.1f} s")
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, keep / path.name)


if __name__ == "__main__":
    main()
