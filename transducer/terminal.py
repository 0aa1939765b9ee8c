"""What a command needs of the terminal: a console, and a line that says what is being done."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Make a console as wide as the terminal, or of 120 columns where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


class Progress:
    """A line on standard error that says what is being done, on a terminal only."""

    def __init__(self, quiet: bool = False) -> None:
        self.live = not quiet and sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def say(self, text: str) -> None:
        """Replace the line."""
        if self.live:
            sys.stderr.write(f"\r\033[K{text} ...")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self.live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
