"""A real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

COMMAND = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
# A page of a minute's work on a busy machine.
PATIENCE_MS = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; where it is missing the test is skipped, but never in CI."""
    if COMMAND is None:
        pytest.skip("Chromium is not installed; install the package 'chromium'")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=COMMAND, args=list(ARGUMENTS), timeout=PATIENCE_MS
            )
        except Error as error:
            if "CI" in os.environ:
                raise
            pytest.skip(f"Chromium does not start here: {error.message.splitlines()[0]}")
        yield started
        started.close()
