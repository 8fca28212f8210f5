"""The samples run, and show the results that they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def run(program: str) -> str:
    """Run a sample that must end well, and return its output."""
    done = subprocess.run([sys.executable, "-P", SAMPLES / program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_programs_with_their_own_protocol_get_tls() -> None:
    output = run("own-protocol/notes.py")
    right, wrong, mistaken = output[output.index("notes.example.com:") :].split("\n\n")[:3]
    assert "  < NO say STARTTLS first\n" in right
    assert right.endswith("  > NOTE the key is under the mat\n  < OK noted 'the key is under the mat'")
    assert wrong.endswith("Server certificate not verified; nothing was sent")
    assert "under the mat" not in wrong
    assert 'smtp_tls_policy_maps, key "old.example.com", column 8: attribute "match" has empty value' in mistaken


def test_demonstration_ends_well() -> None:
    assert "The daemon has ended with status 0." in run("starttls/demo.py")
