"""Opens pages in headless Chromium, where there is one, and gives back what it made of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def opened(page: Path, *, script: str = "", width: int = 1280) -> tuple[str, str]:
    """(document after scripts, console log). `script` runs after the page's own; skips by name without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium absent")
    with tempfile.TemporaryDirectory() as profile:
        shown = page
        if script:
            shown = Path(profile) / "probe.html"
            text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
            shown.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        done = subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={profile}",
                "--enable-logging=stderr",
                "--v=0",
                f"--window-size={width},900",
                "--virtual-time-budget=3000",
                "--dump-dom",
                shown.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused" in line]
    return done.stdout, "\n".join(messages)
