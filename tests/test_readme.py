"""The commands in README.md and docs/check.md have the output that these show."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    """Return the blocks of a page that begin with a command."""
    return re.findall(r"^```\n(\$ .*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


BLOCKS = blocks("README.md")
EXAMPLES = [
    (command, printed)
    for block in [*BLOCKS, *blocks("docs/check.md")]
    for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    if "--standalone" not in command
]


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_commands_print_the_output_in_the_readme(command: str, printed: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    run = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, timeout=60, text=True, check=False
    )
    assert run.stdout == printed


def test_bad_configuration_is_named_as_the_readme_says(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("\n\nsmtpd_tls_security_level = sometimes\n")
    (tmp_path / "master.cf").touch()
    command: list[str | Path] = [
        Path(sys.executable).with_name("tlsproxy"),
        "--standalone",
        "-c",
        ".",
        "--user",
        "nobody",
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr in (ROOT / "README.md").read_text()
    assert run.stderr.startswith("tlsproxy: fatal: ./main.cf:3:28: ")


def test_links_in_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "samples").rglob("*.md")]
    followed = 0
    for document in documents:
        text = re.sub(r"```.*?```|`[^`]*`", "", document.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if path.startswith("http"):
                continue
            file = document.parent / path if path else document
            assert file.exists(), f"{document}: {target}"
            followed += 1
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{document}: {target}"
    assert followed


def test_pictures_are_those_of_the_readme() -> None:
    for name, command in (("check", "tlsproxy-check --no-fs"), ("trace", "tlsproxy-trace -c samples/trace")):
        picture = (ROOT / "docs" / "images" / f"{name}.svg").read_text()
        shown = re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]*>", "", picture[picture.index("<g ") :])))
        block = next(block for block in BLOCKS if block.startswith(f"$ {command}"))
        lines = block.splitlines()[1:]
        assert lines, name
        for line in lines:
            assert re.sub(r"\s+", "", line)[:40] in shown.replace("\xa0", ""), line
