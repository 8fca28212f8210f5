"""Instances of one machine, installed or as copies side by side: shared settings, and instances that do nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tlsproxy.check.command.cli import main

PRIMARY = "compatibility_level = 3.6\nmyhostname = a.example.net\nmulti_instance_directories = {out}\n"
OUT = (
    "compatibility_level = 3.6\nmyhostname = b.example.net\nqueue_directory = /var/spool/postfix-out\n"
    "data_directory = /var/lib/postfix-out\n"
)
SMTP = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n"
RULES = ["--select", "Q004,Q010,Q011,M004"]


def found(
    directory: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> list[tuple[str, str, int | None, int | None]]:
    """Return rules and places of the findings in the two instances below a directory."""
    main(["--postfix-version", "3.7", "--format", "json", *RULES, *arguments])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return [
        (each["rule"], str(Path(each["file"]).relative_to(directory)), each["line"], each["column"])
        for each in findings
    ]


def write(directory: Path, name: str, main_cf: str, master_cf: str = SMTP) -> Path:
    (directory / name).mkdir(exist_ok=True)
    (directory / name / "main.cf").write_text(main_cf)
    (directory / name / "master.cf").write_text(master_cf)
    return directory / name


@pytest.mark.parametrize(
    "more, other, entries, expected",
    [
        ("queue_directory = /q\n", "queue_directory = /q/\n", "", ("Q004", "out/main.cf", 5, 19)),
        ("", "data_directory = /var/lib/postfix\n", "", ("Q004", "out/main.cf", 5, 18)),
        ("", "data_directory = $queue_directory\n", "", ("Q004", "out/main.cf", 5, 18)),
        (
            "multi_instance_name = postfix-out\n",
            "multi_instance_name = postfix-out\n",
            "",
            ("Q004", "out/main.cf", 5, 23),
        ),
        ("", "", "587 inet n - n - - smtpd\n", ("Q004", "out/master.cf", 1, 1)),
        (
            "inet_interfaces = 127.0.0.1, 192.0.2.1\n",
            "",
            "192.0.2.1:25 inet n - n - - smtpd\n",
            ("Q004", "out/master.cf", 1, 1),
        ),
        (
            "inet_interfaces = loopback-only\ninet_protocols = ipv4\n",
            "inet_interfaces = localhost\n",
            SMTP.partition("\n")[0] + "\n",
            ("Q004", "out/master.cf", 1, 1),
        ),
        (
            "address_verify_map = btree:/var/lib/c\n",
            "address_verify_map = btree:/var/lib/c\n",
            "",
            ("Q010", "out/main.cf", 5, 22),
        ),
        (
            "address_verify_map = btree:/var/lib/c\n",
            "postscreen_cache_map = btree:/var/lib/c\n",
            "",
            ("Q010", "out/main.cf", 5, 24),
        ),
        (
            "multi_instance_wrapper = ${command_directory}/postmulti -p --\nmulti_instance_enable = yes\n",
            "",
            "",
            ("Q011", "etc/main.cf", 3, 30),
        ),
        (
            "",
            "multi_instance_enable = maybe\nqueue_directory = /var/spool/postfix\n",
            "",
            ("Q004", "out/main.cf", 6, 19),
        ),
    ],
)
def test_shared_settings_are_found_where_they_are_set(
    more: str,
    other: str,
    entries: str,
    expected: tuple[str, str, int, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = write(tmp_path, "out", OUT + other, entries)
    primary = write(tmp_path, "etc", PRIMARY.format(out=out) + more)
    assert found(tmp_path, capsys, "-c", str(primary)) == [expected]
    write(tmp_path, "etc", PRIMARY.format(out="/etc/out") + more)
    assert found(tmp_path, capsys, "--no-fs", "-c", str(primary), "-c", str(out)) == [expected]


@pytest.mark.parametrize(
    "more, other, entries",
    [
        ("", "inet_interfaces = 192.0.2.1\n", SMTP),
        ("inet_interfaces = 127.0.0.1\n", "inet_interfaces = 127.0.0.2\n", SMTP),
        ("", "master_service_disable = inet\n", SMTP),
        ("master_service_disable = smtp/inet, submission.inet\n", "", SMTP),
        ("", "master_service_disable = !smtp/unix !!inet\n", SMTP),
        ("", "multi_instance_enable = no\n", SMTP),
        ("address_verify_map = btree:$data_directory/c\n", "address_verify_map = btree:$data_directory/c\n", ""),
        ("address_verify_map = lmdb:/var/lib/c\n", "address_verify_map = lmdb:/var/lib/c\n", ""),
        (
            "multi_instance_wrapper = $command_directory/postmulti -p --\nmulti_instance_enable = yes\n",
            "multi_instance_enable = no\n",
            "",
        ),
    ],
)
def test_instances_that_share_nothing_are_fine(
    more: str, other: str, entries: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = write(tmp_path, "out", OUT + other, entries)
    primary = write(tmp_path, "etc", PRIMARY.format(out=out) + more)
    assert found(tmp_path, capsys, "-c", str(primary)) == []


def test_configurations_of_other_machines_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machines = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        machines.append(write(tmp_path / name, "etc", PRIMARY.format(out="/etc/out").replace("/etc/out", "")))
        machines.append(write(tmp_path / name, "out", OUT + "multi_instance_name = postfix-out\n"))
    assert found(tmp_path, capsys, "--no-fs", *(f"-c{each}" for each in machines)) == []
    write(tmp_path / "b", "etc", PRIMARY.format(out="/etc/out"))
    places = {file for _, file, *_ in found(tmp_path, capsys, "--no-fs", *(f"-c{each}" for each in machines))}
    assert places == {"b/out/master.cf"}


def test_instance_in_an_image_is_read_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etc").mkdir()
    write(tmp_path / "etc", "postfix", PRIMARY.format(out="/etc/postfix-out"))
    write(tmp_path / "etc", "postfix-out", OUT + "queue_directory = /var/spool/postfix\n", "")
    expected = [("Q004", "etc/postfix-out/main.cf", 5, 19)]
    assert found(tmp_path, capsys, "--root", str(tmp_path)) == expected


def test_missing_and_nameless_instances_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    primary = write(tmp_path, "etc", PRIMARY.format(out=f"{tmp_path}/none {tmp_path}/etc"))
    assert found(tmp_path, capsys, "-c", str(primary)) == [("Q004", "etc/main.cf", 3, 30)]
    assert found(tmp_path, capsys, "--no-fs", "-c", str(primary)) == []


def test_copy_of_an_instance_is_one_finding_of_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write(tmp_path, "out", "myhostname = b.example.net\n", "")
    primary = write(tmp_path, "etc", PRIMARY.format(out=f"{out} out"))
    main(["--postfix-version", "3.7", "--format", "concise", *RULES, "-c", str(primary)])
    [line] = capsys.readouterr().out.splitlines()
    assert "queue_directory /var/spool/postfix and data_directory /var/lib/postfix of" in line


def test_disabled_service_is_no_duplicate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = f"{SMTP}25 inet n - n - - smtpd\n"
    primary = write(tmp_path, "etc", "compatibility_level = 3.6\n", entries)
    assert [rule for rule, *_ in found(tmp_path, capsys, "-c", str(primary))] == ["M004"]
    write(tmp_path, "etc", "master_service_disable = SMTP/inet\n", entries)
    assert found(tmp_path, capsys, "-c", str(primary)) == []
