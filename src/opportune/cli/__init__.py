"""The command line: translates words into calls of the rooms, and errors into exit codes.

One file a group of commands. Long work shows progress on a terminal and plain lines otherwise.
"""

from opportune.cli.app import app, main

__all__ = ["app", "main"]
