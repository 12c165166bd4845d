"""A real browser: Debian's or any other Chromium, driven through Playwright. One for all tests of a worker.

Where there is none, these tests are skipped in one line; `BILLING_TEST_BROWSER=required` (as `.ci/run` sets it) makes
that a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 (not everybody has it)
    except ModuleNotFoundError:
        sync_playwright = None
    if program is None or sync_playwright is None:
        why = "no browser here: install Chromium, and Playwright by requirements-browser.lock"
        (pytest.fail if os.environ.get("BILLING_TEST_BROWSER") == "required" else pytest.skip)(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()
