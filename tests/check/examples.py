"""The examples in the rules' documentation, as configurations."""

from __future__ import annotations

from pathlib import Path

from postconf.catalogue import release
from tlsproxy.check.context import Options
from tlsproxy.check.engine import Checked, check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import Rule
from tlsproxy.check.text.sources import MainFile, MasterFile


def files_of(example: str) -> dict[str, str]:
    """Name → text: main.cf first, then the texts behind `--- NAME` lines."""
    files = {"main.cf": ""}
    name = "main.cf"
    for line in example.splitlines(keepends=True):
        if line.startswith("--- "):
            name = line[4:].strip()
            files[name] = ""
        else:
            files[name] += line
    return files


def run(example: str, rules: list[Rule], directory: Path | None = None, version: str = "3.7") -> Checked:
    """Check an example; without a directory no file is looked at."""
    files = files_of(example)
    main = MainFile("main.cf", files["main.cf"])
    master = MasterFile("master.cf", files["master.cf"]) if "master.cf" in files else None
    where = str(directory) if directory else "/etc/postfix"
    return check(
        main,
        master,
        rules,
        release(version),
        FileSystem(enabled=directory is not None),
        options=Options(directory=where),
    )
