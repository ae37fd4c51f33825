"""``python -m opportune`` is the command line."""

from opportune.cli import main

main()
