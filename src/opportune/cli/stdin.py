"""Ending with who started this process."""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["end_with_stdin"]


def end_with_stdin() -> None:
    """Have this process interrupted when its standard input ends."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
