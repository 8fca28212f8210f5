"""The page about a configuration in a real browser, Debian's Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tlsproxy.mail.trace.cli import main

CHROMIUM = shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "main.cf").write_text("myhostname = mail.example.com\n")
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n")
    assert main(["-c", str(tmp_path), "--graph", "html"]) == 0
    path = tmp_path / "report.html"
    path.write_text(capsys.readouterr().out)
    return path


def browse(page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = page.parent / "home"
    home.mkdir(exist_ok=True)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}", *arguments]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home)}
    )


def test_browser_draws_the_page_without_complaint(report: Path) -> None:
    done = browse(report, "--enable-logging=stderr", "--dump-dom")
    assert done.returncode == 0
    assert "<h1>Mail at mail.example.com</h1>" in done.stdout
    assert "smtpd, port 25" in done.stdout
    assert "CONSOLE" not in done.stderr  # among these would be violations of the page's own policy


def test_page_is_dark_where_the_system_is(report: Path) -> None:
    pictures = []
    for number, scheme in enumerate((1, 0)):
        picture = report.parent / f"{number}.png"
        done = browse(report, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
        assert done.returncode == 0
        pictures.append(picture.read_bytes())
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] != pictures[1]
