"""tlsproxy-postmap beside the real postmap(1): the same output, the same words, the same exit status."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers.real.both_postmaps import Both
from peers.real.postmap import SUFFIXES, Postmap, lock_is_awaited, wait_until
from peers.tools.children import PATIENCE

from maps.command.message import Limits, MessageKeys
from maps.text.source import records

pytestmark = pytest.mark.postfix

SOURCE = b"""
# comment
a 1
B two words  \t
"quoted key" x
lone"  v
key: value
   # indented
a again
continued one
\t two
nokey
caf\xc3\xa9 \xc3\x89
bad\xff v
"""
MESSAGES = (
    b"Subject: x\nX : y\n\nbody\nSubject: not a header\n",
    b"hello: a b\x7f: c\nnot a header\n\nbody\n",
    b"no header\n\nbody\n",
    b'Subject: hello\nTo : a@b\nX-Long: one\n two\n\tthree\nContent-Type: multipart/digest; boundary="b b"\n\n'
    b"preamble\n--b b\nSubject: in\n\nInner: x\n\ntext\n--b b\nContent-Type: text/plain\n\nX: y\n--b b--\nz\n",
    b'Content-Type: (a (b\\)) c) multipart/mixed; x="a;b"; BOUNDARY="q\\q"\n\n--qq\nA: b\n\nbody\n--qq--\nend\n',
    b"Content-Type: message/rfc822\n\nA: b\n folded\n\nbody\n",
    b"Content-Type: multipart/x; boundary=x; boundary=y\n\n--x\nno header\nA: b\n--y\nC: d\n\n--x--\n--y\nE: f\n",
    b"Content-Type: multipart/x; boundary=x\n\n--x\nA: b",
    b"Subject: x\n folded\n",
)


@pytest.mark.parametrize("kind", SUFFIXES)
def test_tables_are_made_listed_and_changed_alike(both: Both, kind: str) -> None:
    both.write("t", SOURCE, 0o640)
    table = f"{kind}:t"
    assert len(both.agree(table)[2]) > 3
    both.same_files()
    keys = b'a\nA\nb\n"quoted key"\nlone"\nkey:\ncontinued\nCAF\xc3\x89\ncaf\xc3\xa9\nnone\n\xff\n'
    assert both.agree("-q", "-", table, keys=keys)[1].count(b"\n") == 8
    both.agree("-fuq", "B", table)
    both.agree("-q", "B", table)
    both.agree("-r", table)
    both.agree("-q", "a", table)
    if kind == "cdb":
        return
    both.agree("-i", table, keys=b"a 9\nnew entry\n")
    both.agree("-ir", table, keys=b"a 10\n")
    both.agree("-d", "new", table)
    both.agree("-d", "-", table, keys=b"key:\nnone\n")
    both.agree("-d", "none", table)
    for side in both.directories:
        assert sorted(both.run(side, "-s", table)[1].splitlines()) == sorted(
            both.run("real", "-s", table)[1].splitlines()
        )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-Z"],
        ["-q"],
        ["-q", "a", "-q", "b", "x"],
        ["-q", "a", "-s", "x"],
        ["-b", "hash:h"],
        ["-q", "a", "nosuch:x"],
        ["-q", "a", "hash:"],
        ["-q", "a", "hash:nosuch"],
        ["nosuch:t"],
        ["static:t"],
        [":t"],
        ["hash:nosuch"],
        ["proxy:hash:t"],
        ["-s", "proxy:hash:t"],
        ["-c", "/nonexistent", "-q", "a", "static:x"],
    ],
    ids=" ".join,
)
def test_mistakes_have_the_messages_of_postmap(both: Both, arguments: list[str]) -> None:
    both.write("t", b"a 1\n")
    status, _, said = both.agree(*arguments)
    assert status == 1
    assert b"fatal: " in said[-1]


def test_options_are_ordered_as_in_getopt(both: Both) -> None:
    both.write("t", b"a 1\n")
    both.agree("-ro", "--", "hash:t")
    both.agree("-qa", "hash:t")
    both.agree("-q", "a", "-mq", "-", "static:x")
    both.agree("-s")
    both.agree("-mq", "-", "static:x", keys=b"one\n\nlast")


def test_values_that_name_files_hold_their_content(both: Both) -> None:
    both.write("k1", b"KEY\nDATA\n")
    both.write("k2", b"CERT")
    both.write("t", b"one k1\ntwo k1, k2\nnone nosuch\nempty ,\n")
    both.write("plain", b"x k1\n")
    both.agree("-F", "hash:t")
    assert both.agree("-Fq", "two", "hash:t")[1] == b"KEY\nDATA\n\nCERT\n"
    both.agree("-q", "two", "hash:t")
    both.agree("-Fs", "hash:t")
    both.agree("hash:plain")
    both.agree("-Fq", "x", "hash:plain")
    both.agree("-Fs", "hash:plain")


def test_table_without_a_type_is_of_the_default_type(both: Both) -> None:
    both.write("t", b"a 1\n")
    both.configure("default_database_type = cdb\n")
    both.agree("t")
    both.same_files()
    both.agree("-q", "a", "t")
    both.configure("default_database_type =\n")
    both.agree("-q", "a", "t")


@pytest.mark.parametrize("kind", SUFFIXES)
def test_directory_is_the_source_of_an_empty_table(both: Both, kind: str) -> None:
    for directory in both.directories.values():
        (directory / "t").mkdir()
    assert both.agree(f"{kind}:t")[0] == 0
    both.same_files()
    both.agree("-q", "a", f"{kind}:t")


@pytest.mark.parametrize("options", ["-h", "-b", "-hb", "-hm", "-bm", "-hbm"])
def test_messages_have_the_same_keys(both: Both, options: str) -> None:
    found = [both.agree(options, "-q", "-", "static:x", keys=message)[1] for message in MESSAGES]
    assert len(set(found)) > 5


@pytest.mark.parametrize("options", ["-U", "-Uh", "-Ub"])
def test_unusable_value_has_the_message_of_postmap(both: Both, options: str) -> None:
    half = "regexp:{{/caf(.)/ $1}}"  # of a character
    status, _, said = both.agree(options, "-q", "-", half, keys="X: café\n\ncafé\n".encode())
    assert status == 1
    assert b"query error" in said[-1]


@pytest.mark.parametrize("mode", [0o600, 0o604, 0o666, 0o400])
@pytest.mark.parametrize("options", [[], ["-p"], ["-o"]])
def test_new_table_has_the_mode_and_owner_of_its_source(public_path: Path, mode: int, options: list[str]) -> None:
    both = Both(Postmap(public_path))
    both.write("t", b"a 1\n", mode)
    for directory in both.directories.values():
        directory.chmod(0o777)
        os.chown(directory / "t", 65534, 65534)
    both.agree(*options, "hash:t", "cdb:t", "lmdb:t")
    both.same_files()


@pytest.mark.parametrize("kind", SUFFIXES)
def test_command_that_is_killed_leaves_the_old_table(both: Both, kind: str) -> None:
    directory = both.directories["ours"]
    (directory / "t").write_bytes(b"a old\n")
    assert both.run("ours", f"{kind}:t")[0] == 0
    (directory / "t").write_bytes(b"".join(b"%d new\n" % number for number in range(30_000)))
    for delay in (0.1, 0.2, 0.3, 0.4):
        process = both.start(f"{kind}:t")
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.copy(directory / ("t" + SUFFIXES[kind]), both.directories["real"])
        old = both.run("real", "-q", "a", f"{kind}:t")
        new = both.run("real", "-q", "29999", f"{kind}:t")
        assert (old[1], new[1]) in ((b"old\n", b""), (b"", b"new\n"))


@pytest.mark.parametrize("kind", ["hash", "btree"])
def test_command_waits_for_one_that_holds_the_lock(both: Both, kind: str) -> None:
    both.write("t", b"a 1\n")
    both.agree(f"{kind}:t")
    path = both.directories["ours"] / "t.db"
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = both.start("-q", "a", f"{kind}:t")
        wait_until(lambda: lock_is_awaited(path))
    assert process.communicate(timeout=PATIENCE)[0] == b"1\n"


@given(
    st.lists(st.sampled_from([b"a", b'"', b"\\", b" ", b"\t", b"\n", b"#", b"v", b":", b"\0", b"\xff", b"\xc3\xa9"]))
)
def test_no_source_breaks_the_reader(pieces: list[bytes]) -> None:
    warnings: list[str] = []
    text = b"".join(pieces)
    found = list(records(text.split(b"\n"), "t", warnings.append, utf8=True))
    assert len(found) <= text.count(b"\n") + 1
    assert all(record.key and record.value and record.value.strip() == record.value for record in found)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from([b"Content-Type: multipart/mixed; boundary=x", b"--x", b"--x--", b"", b"A: b", b" c", b"text"])
    )
)
def test_lines_of_a_message_appear_once_in_its_keys(lines: list[bytes]) -> None:
    limits = Limits(100, 5, 10)
    keys = list(MessageKeys(limits, headers=True, body=True, mime=True).of(lines))
    assert b"\n".join(keys).replace(b"\n\n", b"\n").count(b"text") == lines.count(b"text")
