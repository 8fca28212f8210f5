"""Output and diagnostics of the commands in one stream, as on a terminal: in Postfix's order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postconf.catalogue import release
from postconf.htable_order import table_order

STOCK = Path("/usr/share/postfix/master.cf.dist")
SETTINGS = (
    "foo = 1\nmyhostname = a.example$nosuch\nmynetworks = $nosuch\nsmtpd_use_tls = yes\nprocess_id = 3\nbar = 2\n"
    "service_name = x\nsmtpd_banner = $other $myhostname\n"
)
PROGRAMS = {"postconf": "postconf.command.cli", "postmap": "maps.command.cli"}


def real(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    run = subprocess.run(
        [program, *arguments],
        executable=f"/usr/sbin/{program}",
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "NORANDOMIZE": "1"},
    )  # fmt: skip
    return run.stdout


def ours(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    code = f"import sys; sys.argv[0] = {program!r}; from {PROGRAMS[program]} import main; sys.exit(main())"
    run = subprocess.run(
        [sys.executable, "-c", code, "--postfix-version", "3.7", *arguments]
        if program == "postconf"
        else [sys.executable, "-c", code, *arguments],
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ),
    )  # fmt: skip
    return run.stdout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text(SETTINGS)
    if STOCK.exists():
        shutil.copy(STOCK, tmp_path / "master.cf")
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    return tmp_path


@pytest.mark.postfix
@pytest.mark.parametrize(
    "arguments",
    [
        ["-n"], ["-nx"], ["-x", "foo", "nosuch", "smtpd_banner", "other"], ["-d", "nosuch", "alias_maps"],
        ["myhostname", "nosuch", "smtpd_use_tls"], ["-M"], ["-M", "nosuch", "smtp"], ["-F", "smtp", "x"], ["-P"],
        ["-C", "builtin", "-n"], ["-Hn"], ["-q", "-n"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_postconf_warns_where_the_real_one_does(arguments: list[str], directory: Path) -> None:
    assert ours("postconf", "-c", str(directory), *arguments) == real("postconf", "-c", str(directory), *arguments)


@pytest.mark.postfix
def test_postconf_warnings_appear_between_blocks_of_a_list(directory: Path) -> None:
    names = [name for name in release("3.7").defaults if not name.startswith(("my", "process", "mail_version"))]
    for position in range(0, len(names), 50):
        names.insert(position, f"nosuch{position}")
    arguments = ["-c", str(directory), "-n", *names[:1], *names]
    assert ours("postconf", *arguments) == real("postconf", *arguments)
    arguments = ["-c", str(directory), "-d", *(name for name in names if "directory" not in name)]
    assert ours("postconf", *arguments) == real("postconf", *arguments)


@pytest.mark.postfix
def test_postmap_warns_where_the_real_one_does(tmp_path: Path) -> None:
    keys = b"".join(b"key%d\n" % number for number in range(1000))
    table = "pipemap:{inline:{" + ", ".join(f"key{number}={'v' * 30}{number}" for number in range(0, 1000, 3)) + "}}"
    assert ours("postmap", "-q", "-", table, stdin=keys) == real("postmap", "-q", "-", table, stdin=keys)
    source = tmp_path / "source"
    source.write_text("".join(f"key{number}{' value' if number % 100 else ''}\n" for number in range(500)))
    os.utime(source, (1, 1))
    listing = ["-s", f"texthash:{source}"]
    assert sorted(ours("postmap", *listing).splitlines()) == sorted(real("postmap", *listing).splitlines())


def test_table_order_before_3_7_uses_the_older_hash() -> None:
    names = ["process_id", "service_name", "process_name", "foo", "bar", "smtpd_banner"]
    buckets: dict[int, list[str]] = {}
    for name in names:
        value = 0
        for byte in name.encode():  # the ELF format's hash function, as its specification has it
            value = (value << 4) + byte
            high = value & 0xF0000000
            value = (value ^ (high >> 24)) & ~high
        buckets.setdefault(value % 13, []).insert(0, name)
    expected = [name for bucket in sorted(buckets) for name in buckets[bucket]]
    assert table_order(names, release("3.6")) == expected
    assert table_order(names, release("3.7")) != expected
