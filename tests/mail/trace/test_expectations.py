"""Files of expectations: those that hold, differences and their reports, and the first file that is made."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from mail.fixtures import Check, MakeConfig

from tlsproxy.mail.trace.cli import main
from tlsproxy.mail.trace.expectations.files import ExpectationError, read_expectations

MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o { smtpd_tls_security_level = encrypt }
  -o { smtpd_sasl_auth_enable = yes }
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
smtp unix - - n - - smtp
local unix - n n - - local
"""
SESSION = """
[[session]]
name = "{name}"
client = "203.0.113.7"
sender = "a@partner.example"
recipient = "{recipient}"
expect = "{expect}"
{more}
"""


@pytest.fixture
def checked(make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Write a configuration and a file of expectations, and check it."""

    def check(text: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
        make_config(MASTER, local_recipient_maps="", **settings)
        path = tmp_path / "mail.toml"
        path.write_text(text)
        status = main(["--expect", str(path), "-c", str(tmp_path), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return check


def session(expect: str, recipient: str = "x@far.example", more: str = "", name: str = "test") -> str:
    return SESSION.format(name=name, recipient=recipient, expect=expect, more=more)


@pytest.mark.parametrize(
    ("expect", "recipient", "more", "status"),
    [
        ("accept", "ann@mail.example.com", "", 0),
        ("accept", "x@far.example", "", 1),
        ("defer", "x@far.example", "", 0),
        ("refuse", "x@far.example", "", 0),
        ("reject", "x@far.example", "", 1),
        ("refuse", "x@far.example", 'by = "defer_unauth_destination"', 0),
        ("refuse", "x@far.example", 'by = "reject"', 1),
        ("refuse", "x@far.example", 'reply = "454 4.7.1"', 0),
        ("refuse", "x@far.example", 'reply = "550"', 1),
        ("depends", "x@far.example", "", 1),
        ("refuse", "x@far.example", 'service = "submission/inet"\ntls = true', 0),
        ("accept", "x@far.example", 'service = "submission/inet"\ntls = true\nsasl-user = "ann"', 0),
        ("refuse", "x@far.example", 'service = "submission/inet"\nsasl-user = "ann"', 0),
        ("accept", "ann@mail.example.com", 'recipients = ["x@far.example"]', 1),
    ],
)
def test_expected_outcome_is_compared_with_the_actual_one(
    checked: Check, expect: str, recipient: str, more: str, status: int
) -> None:
    assert checked(session(expect, recipient, more))[0] == status


def test_difference_names_line_outcome_and_restriction(checked: Check) -> None:
    status, out, _ = checked("# mail\n" + session("accept", name="far mail"))
    assert status == 1
    assert "mail.toml:3: far mail: refused at RCPT: 454 4.7.1 <x@far.example>: Relay access denied, by" in out
    assert "smtpd_relay_restrictions: defer_unauth_destination" in out
    assert "0 of 1 expectations hold" in out


def test_outcome_that_depends_holds_only_where_all_answers_agree(checked: Check) -> None:
    lists = {"smtpd_client_restrictions": "reject_rbl_client list.example"}
    assert checked(session("refuse"), **lists)[0] == 0
    status, out, _ = checked(session("accept", "ann@mail.example.com"), **lists)
    assert status == 1
    assert "depends on dnsbl:list.example" in out
    assert checked(session("depends", "ann@mail.example.com"), **lists)[0] == 0
    assumed = 'assume = { "dnsbl:list.example" = "unlisted" }'
    assert checked(session("accept", "ann@mail.example.com", assumed), **lists)[0] == 0
    whole_file = '[assume]\n"dnsbl:list.example" = "listed"\n' + session("reject", "ann@mail.example.com")
    assert checked(whole_file, **lists)[0] == 0
    assert checked(whole_file, "--assume", "dnsbl:list.example=unlisted", **lists)[0] == 1


@pytest.mark.parametrize(
    ("entry", "status", "problem"),
    [
        ('class = "local"', 0, ""),
        ('class = "relay"', 1, "class is local, not relay"),
        ('transport = "local"\nnexthop = "mail.example.com"', 0, ""),
        ('transport = "lmtp"', 1, "transport is local, not lmtp"),
        ('final-recipients = ["bob@far.example"]', 0, ""),
        ('final-recipients = ["ann@mail.example.com"]', 1, "final recipients are bob@far.example, not ann@"),
        ('tls = "encrypt"', 0, ""),
        ('tls = "may"', 1, "tls is encrypt, not may"),
    ],
)
def test_expected_route_is_compared_with_the_route(checked: Check, entry: str, status: int, problem: str) -> None:
    settings = {
        "virtual_alias_maps": "inline:{ann=bob@far.example}",
        "smtp_tls_security_level": "encrypt",
    }
    found, out, _ = checked(f'[[route]]\nrecipient = "ann@mail.example.com"\n{entry}\n', **settings)
    assert found == status
    assert problem in out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[session]", "mail.toml: Expected"),
        ("", "neither a [[session]] nor a [[route]]"),
        ("x = 1", "unknown key 'x'"),
        ("[[session]]\nexpect = 'accept'", "mail.toml:1: recipient is missing"),
        ("\n[[session]]\nrecipient='a'\nexpect = 'accept'", "mail.toml:2: client is missing"),
        (session("maybe"), "expect is one of accept"),
        (session("accept", more="recipients = 'a'"), "recipients is a list"),
        (session("accept", more="tls = 3"), "tls is true, false"),
        (session("accept", more="assume = { x = 'y' }"), "assume:"),
        (session("accept").replace("203.0.113.7", "x"), "is no IP address"),
        ("[session]\nx=1", "write [[session]]"),
        ("[[route]]\nrecipient = 'a'", "name the expectation"),
        ("[[route]]\nrecipient = 'a'\nclass = 'x'", "class is one of"),
        ("[[route]]\nclass = 'local'", "recipient is missing"),
        (session("accept", more="service = 'none/inet'"), "no service none/inet"),
    ],
)
def test_bad_file_is_an_error_with_status_2(checked: Check, text: str, problem: str) -> None:
    status, out, err = checked(text)
    assert (status, out) == (2, "")
    assert problem in err
    assert err.startswith("tlsproxy-trace: ")


def test_missing_file_is_an_error_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--expect", "/no/such/file"]) == 2
    assert "/no/such/file: No such file" in capsys.readouterr().err


def test_reports_are_written_in_every_format(checked: Check, tmp_path: Path) -> None:
    text = session("accept", name="a <b> & c") + session("refuse", name="fine")
    status, out, _ = checked(text, "--format", f"junit:{tmp_path}/report.xml", "--format", "github")
    assert status == 1
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ["a <b> & c", "fine"]
    assert out.startswith(f"::error file={tmp_path}/mail.toml,line=2,title=a <b> & c::refused at RCPT: 454")
    assert len(out.splitlines()) == 1


def test_unknown_format_is_an_error(checked: Check) -> None:
    assert checked(session("refuse"), "--format", "xml")[0] == 2


def test_file_names_its_configuration_relative_to_itself(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, local_recipient_maps="")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "mail.toml").write_text('config = ".."\npostfix-version = "3.7"\n' + session("defer"))
    assert main(["--expect", str(tmp_path / "tests" / "mail.toml")]) == 0
    assert "1 of 1" in capsys.readouterr().out


def first_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> tuple[dict[str, Any], str]:
    assert main(["--init", "-c", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    (tmp_path / "first.toml").write_text(text)
    assert main(["--expect", str(tmp_path / "first.toml")]) == 0
    capsys.readouterr()
    return tomllib.loads(text), text


def test_first_file_holds_and_covers_relaying_and_submission(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, local_recipient_maps="", relay_domains="relayed.example")
    data, _ = first_file(capsys, tmp_path)
    names = [each["name"] for each in data["session"]]
    assert "smtp/inet: strangers can't relay" in names
    assert "submission/inet: strangers can't relay" in names
    assert "submission/inet: users can submit with TLS" in names
    assert "submission/inet: users can't submit without TLS" in names
    assert {each["class"] for each in data["route"]} == {"local", "relay"}


def test_first_file_of_an_open_relay_says_so(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, mynetworks="0.0.0.0/0", local_recipient_maps="")
    _, text = first_file(capsys, tmp_path)
    assert "# NOT SO: smtp/inet: strangers can't relay\n#   accepted at RCPT" in text


def test_first_file_assumes_facts_of_the_world(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = "reject_rbl_client list.example, check_policy_service unix:private/policy"
    make_config(MASTER, local_recipient_maps="", smtpd_recipient_restrictions=lists)
    data, _ = first_file(capsys, tmp_path)
    assert data["assume"] == {"dnsbl:list.example": "unlisted", "policy:unix:private/policy": "DUNNO"}


def test_first_file_with_a_domain_twice_has_it_once(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, local_recipient_maps="", mydestination="$myhostname, mail.example.com, localhost")
    data, _ = first_file(capsys, tmp_path)
    names = [each["name"] for each in [*data["session"], *data["route"]]]
    assert len(set(names)) == len(names)


def test_first_file_of_a_relative_directory_says_so(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_config(MASTER, local_recipient_maps="")
    monkeypatch.chdir(tmp_path)
    assert main(["--init", "-c", "."]) == 0
    assert 'config = "."  # relative to this file\n' in capsys.readouterr().out


def test_first_file_needs_a_service_of_smtpd(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config("")
    assert main(["--init", "-c", str(tmp_path)]) == 2
    assert "no service of smtpd(8)" in capsys.readouterr().err


def test_expectations_keep_their_lines_with_comments_between() -> None:
    text = "\n# one\n" + session("accept") + "\n [[ route ]]\nrecipient='a'\nclass='local'\n" + session("refuse")
    found = read_expectations(text, "x")
    assert [each.line for each in found.sessions] == [4, 16]
    assert [each.line for each in found.routes] == [12]


def test_expectations_of_wrong_types_are_errors() -> None:
    with pytest.raises(ExpectationError):
        read_expectations("config = 3\n" + session("accept"), "x")


def test_first_file_with_hostile_names_can_be_read(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = '"\\x25:submission inet n - n - - smtpd\n\udcff:25 inet n - n - - smtpd\n'
    make_config(services + MASTER, local_recipient_maps="", relay_domains="a\U0001f600\x1b\\.example x\udcff.example")
    data, text = first_file(capsys, tmp_path)
    assert {each["service"] for each in data["session"]} == {"smtp/inet", "submission/inet", '"\\x25:submission/inet'}
    assert "\x1b" not in text
