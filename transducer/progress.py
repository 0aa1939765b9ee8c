"""How far a long run is, in a terminal or a notebook, and what is kept when it is interrupted."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

QUIET = 2.0
"""Seconds before anything is shown: short work stays silent."""
EVERY = 0.2
"""Seconds between two updates."""


class Interrupted(KeyboardInterrupt):
    """A run that was stopped by hand; `partial` holds what was done, and how to go on.

    Parameters
    ----------
    said : str
        What was done and how to go on.
    partial : object
        What the run that was stopped takes as ``resume``.
    """

    def __init__(self, said: str, partial: object) -> None:
        super().__init__(said)
        self.partial = partial


class Display(Protocol):
    """Something that shows one line of progress."""

    def show(self, line: str) -> None:
        """Replace what is shown by `line`."""

    def close(self) -> None:
        """Leave the last line standing."""


class _Terminal:
    def show(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{line}")
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.write("\n")


class _Notebook:
    def __init__(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, line: str) -> None:
        self.handle.update({"text/plain": line}, raw=True)

    def close(self) -> None:
        pass


def display_here() -> Display | None:
    """Terminal or notebook this runs in; None where nobody looks (a pipe, a batch job)."""
    shell = sys.modules.get("IPython")
    if shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell":
        return _Notebook()
    return _Terminal() if sys.stderr.isatty() else None


class Progress:
    """Counts finished steps and shows them.

    Parameters
    ----------
    label : str
        What is being done.
    total : int
        Steps in all.
    display : Display, optional
        Where to show it; None shows nothing.
    """

    def __init__(self, label: str, total: int, display: Display | None = None) -> None:
        self.label, self.total, self.display = label, total, display
        self.done = self.failed = 0
        self._start, self._shown = time.monotonic(), -1.0

    def step(self, count: int = 1, failed: int = 0) -> None:
        """Count `count` more finished steps, `failed` of them without a result."""
        self.done += count
        self.failed += failed
        now = time.monotonic() - self._start
        if self.display is None or now < QUIET or now - self._shown < EVERY:
            return
        self._shown = now
        self.display.show(self.line(now))

    def close(self) -> None:
        """Show where it ended, if anything was shown."""
        if self.display is not None and self._shown >= 0:
            self.display.show(self.line(time.monotonic() - self._start))
            self.display.close()

    def line(self, elapsed: float) -> str:
        """What is shown after `elapsed` seconds: share done, rate, time left, failures."""
        share = self.done / self.total
        left = elapsed * (1 - share) / share if share > 0 else float("inf")
        bar = "#" * int(20 * share)
        rest = f"{left:.0f} s left" if left < 1e6 else "time left unknown"
        rate = f"{self.done / elapsed:.3g}/s" if elapsed > 0 else "-"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.label} [{bar:<20}] {self.done}/{self.total}, {rate}, {rest}{failed}"


@contextmanager
def progress(label: str, total: int) -> Iterator[Progress]:
    """Show the progress of the block, wherever it runs.

    Examples
    --------
    >>> with progress("counting", 3) as bar:
    ...     for _ in range(3):
    ...         bar.step()
    >>> bar.line(6.0)
    'counting [####################] 3/3, 0.5/s, 0 s left'
    """
    bar = Progress(label, total, display_here())
    try:
        yield bar
    finally:
        bar.close()
