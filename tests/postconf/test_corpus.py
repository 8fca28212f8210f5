"""Real configurations, and the output of postconf(1) 3.7.11 of Debian 12 for them, byte for byte."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from postconf.command import cli
from postconf.machine.host import FixedHost
from postconf.syntax.lines import encode

MODES = {
    "main": "n all x nx nf nh nH p px C_user C_service nC_builtin names_n names names_x",
    "master": "M Mf F Ff Fh FH P Px Pf PH n C_service C_user M_inet F_chroot",
    "pair": "n all x M Mx Mfx Fx P Px C_service C_user",
}
CASES = [(group, mode) for group, modes in MODES.items() for mode in modes.split()]


class RecordedCommand(cli.PostconfCommand):
    """The command, on the machine on which the answers were recorded."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(
            "postconf", ["--postfix-version", "3.7.11-debian12", *arguments], FixedHost("mail.example.com")
        )
        self.diagnostics = b""

    def diagnose(self, line: bytes) -> None:
        self.diagnostics += line


def files_of(corpus: Path, group: str, case: str) -> tuple[Path | None, Path]:
    if group == "main":
        return corpus / "main.cf" / f"{case}.cf", corpus / "base" / "master.cf"
    if group == "master":
        return None, corpus / "master.cf" / f"{case}.cf"
    main, master = case.split("+")
    return corpus / "main.cf" / f"{main}.cf", corpus / "master.cf" / f"{master}.cf"


@pytest.mark.parametrize(("group", "mode"), CASES, ids=lambda word: word)
def test_answers_are_those_of_postconf(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, mode: str
) -> None:
    modes = json.loads((corpus / "expected" / "modes.json").read_text())
    arguments = [word for part in modes["modes"][group][mode] for word in (modes["TLS"] if part == "@TLS" else [part])]
    with lzma.open(corpus / "expected" / f"{group}.{mode}.json.xz", "rt") as file:
        expected = json.load(file)
    monkeypatch.setattr(cli, "DEFAULT_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.delenv("MAIL_CONFIG", raising=False)
    different = []
    for case, (status, stdout, stderr) in expected.items():
        main, master = files_of(corpus, group, case)
        (tmp_path / "main.cf").write_bytes(main.read_bytes() if main else b"")
        (tmp_path / "master.cf").write_bytes(master.read_bytes())
        command = RecordedCommand(arguments)
        got_status = command.run()
        got_stdout = "".join(f"{line}\n" for line in command.output)
        got_stderr = command.diagnostics.decode("latin-1").replace(str(tmp_path), "/etc/postfix")
        is_equal = (
            got_status == status
            # Postfix loses output that it has not written yet when it dies; we don't (docs/compatibility.md).
            and (encode(got_stdout).decode("latin-1").replace(str(tmp_path), "/etc/postfix") == stdout or status)
            and sorted(got_stderr.splitlines()) == sorted(stderr.splitlines())
        )
        if not is_equal:
            different.append(case)
    assert not different
    assert len(expected) >= 100
