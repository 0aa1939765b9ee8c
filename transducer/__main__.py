"""``python -m transducer``."""

from transducer.cli import main

main()
