"""tlsproxy-trace: its output, its questions to the world, and its errors for bad input."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail.fixtures import MakeConfig, MakeDirectory
from peers.fakes.nameserver import NameServer
from peers.real.postfix import own_address

from tlsproxy.mail.trace.cli import main

MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
25 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
smtp unix - - n - - smtp
local unix - n n - - local
"""
ARGUMENTS = ["--client", "203.0.113.7", "--client-name", "mx.partner.example", "--sender", "joe@else.example"]
ON_POSTFIX = pytest.mark.postfix


@pytest.fixture
def directory(make_config: MakeConfig, tmp_path: Path) -> MakeDirectory:
    def make(**values: str) -> str:
        make_config(MASTER, local_recipient_maps="", **values)
        return str(tmp_path)

    return make


def traced(capsys: pytest.CaptureFixture[str], directory: str, *arguments: str) -> tuple[int, str, str]:
    status = main([*ARGUMENTS, "--recipient", "ann@mail.example.com", *arguments, "-c", directory])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, captured.out, captured.err


def test_text_names_restriction_table_key_and_line(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, tmp_path: Path
) -> None:
    (tmp_path / "clients").write_text("# partners\npartner.example 554 go away\n")
    where = directory(smtpd_client_restrictions=f"check_client_access texthash:{tmp_path}/clients")
    status, out, _ = traced(capsys, where)
    assert status == 0
    assert "RCPT TO:<ann@mail.example.com>" in out
    assert "554 5.7.1 <mx.partner.example[203.0.113.7]>: Client host rejected: go away" in out
    assert f"check_client_access texthash:{tmp_path}/clients: reject  ({tmp_path}/main.cf:" in out
    assert f"texthash:{tmp_path}/clients, key partner.example: 554 go away  ({tmp_path}/clients:2)" in out


def test_text_shows_route_and_never_a_password(capsys: pytest.CaptureFixture[str], directory: MakeDirectory) -> None:
    settings = {
        "relayhost": "[smart.example]:587",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": "inline:{{[smart.example]:587=user:secret}}",
        "smtp_tls_security_level": "encrypt",
    }
    status, out, _ = traced(capsys, directory(**settings), "--recipient", "x@far.example")
    assert status == 0
    assert "class       local  (mydestination" in out
    assert "goes to smtp:[smart.example]:587" in out
    assert "TLS level encrypt" in out
    assert "login: smtp_sasl_password_maps" in out
    assert "user:" not in out
    assert "secret" not in out


def test_json_keeps_its_contract(capsys: pytest.CaptureFixture[str], directory: MakeDirectory) -> None:
    status, out, _ = traced(capsys, directory(), "--json", "--recipient", "x@far.example")
    assert status == 0
    answer = json.loads(out)
    rcpt = [each for each in answer["replies"] if each["command"] == "RCPT"]
    assert [each["code"] for each in rcpt] == [250, 454]
    assert rcpt[1]["text"] == "4.7.1 <x@far.example>: Relay access denied"
    assert rcpt[1]["argument"] == "x@far.example"
    decided_by = {"parameter": "smtpd_relay_restrictions", "restriction": "defer_unauth_destination"}
    assert rcpt[1]["decided_by"] == decided_by
    assert all(each["depends"] == [] for each in answer["replies"])
    assert answer["routes"][0] == {
        "recipient": "ann@mail.example.com",
        "class": "local",
        "transport": "local",
        "nexthop": "mail.example.com",
        "final_recipients": ["ann@mail.example.com"],
    }


def test_json_names_place_table_and_key_of_the_decision(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, tmp_path: Path
) -> None:
    (tmp_path / "clients").write_text("partner.example 554 go away\n")
    table = f"texthash:{tmp_path}/clients"
    _, out, _ = traced(capsys, directory(smtpd_client_restrictions=f"check_client_access {table}"), "--json")
    decided_by = json.loads(out)["replies"][3]["decided_by"]
    assert decided_by.pop("place").startswith(f"{tmp_path}/main.cf:")
    assert decided_by == {
        "parameter": "smtpd_client_restrictions",
        "restriction": f"check_client_access {table}",
        "table": table,
        "key": "partner.example",
        "value": "554 go away",
        "entry_place": f"{tmp_path}/clients:1",
    }


def test_batch_answers_one_line_for_each_session(directory: MakeDirectory, tmp_path: Path) -> None:
    where = directory()
    sessions = [
        {"client": "203.0.113.7", "client_name": "unknown", "helo": "x", "sender": "", "recipients": [recipient]}
        for recipient in ("ann@mail.example.com", "far@else.example")
    ]
    text = "".join(json.dumps(each) + "\n" for each in sessions)
    run = command("--json", "--batch", "-c", where, input=text)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [next(each["code"] for each in answer["replies"] if each["command"] == "RCPT") for answer in answers] == [
        250,
        454,
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "no JSON"),
        ("[]", "a session is a JSON object"),
        ("\udcff", "no JSON"),
        ('{"client": "x"}', "is no IP address"),
        ('{"client": 3}', "client is a string"),
        ('{"clients": ""}', "unknown field"),
        ('{"client": "::1", "recipients": "a"}', "list of strings"),
        ('{"client": "::1", "tls": 3}', "tls is true, false"),
    ],
)
def test_batch_names_the_line_that_is_bad(directory: MakeDirectory, line: str, problem: str) -> None:
    run = command("--json", "--batch", "-c", directory(), input=f"\n{line}\n")
    assert run.returncode == 2
    assert "standard input, line 2:" in run.stderr
    assert problem in run.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--client", "nonsense"], "'nonsense' is no IP address"),
        (["--client-name=-bad-"], "is no host name"),
        (["--service", "none/inet"], "no service none/inet in"),
        (["--service", "smtp/unix"], "smtp/unix is a service of smtp(8), not of smtpd(8)"),
        (["--helo", "a\nb"], "has a character that ends a command"),
        (["--sender", "x" * 3000], "3000 bytes"),
        (["--assume", "x=y"], "a name begins with one of"),
        (["--postfix-version", "2.0"], "2.0"),
    ],
)
def test_bad_argument_is_an_error_with_status_2(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, arguments: list[str], problem: str
) -> None:
    status, out, err = traced(capsys, directory(), *arguments)
    assert (status, out) == (2, "")
    assert problem in err


def test_missing_arguments_are_named(capsys: pytest.CaptureFixture[str], directory: MakeDirectory) -> None:
    assert main(["-c", directory()]) == 2
    assert "--client is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "main.cf: No such file or directory"),
        ({"main.cf": "nonsense\n"}, "main.cf:1:9"),
        ({"main.cf": "", "master.cf": "smtp inet\n"}, "bad field count"),
        ({"main.cf": "smtpd_relay_restrictions = permit\n", "master.cf": MASTER}, "at least one working instance"),
        (
            {"main.cf": "smtpd_client_restrictions = check_client_access hash:\n", "master.cf": MASTER},
            'expecting "type:name"',
        ),
        ({"main.cf": "compatibility_level=3.6\nmynetworks = !\n", "master.cf": MASTER}, "no pattern after"),
        ({"main.cf": "compatibility_level=3.6\nvirtual_alias_maps = nonsense\n", "master.cf": MASTER}, "nonsense"),
    ],
)
def test_broken_configuration_is_an_error_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    status, out, err = traced(capsys, str(tmp_path))
    assert (status, out) == (2, "")
    assert problem in err
    assert str(tmp_path) in err


def test_table_that_can_not_be_opened_fails_as_in_postfix(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory
) -> None:
    status, out, _ = traced(capsys, directory(smtpd_client_restrictions="check_client_access hash:/no/such"), "--json")
    reply = json.loads(out)["replies"][3]
    assert (status, reply["code"]) == (0, 451)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.sampled_from(["yes", "no"]))
def test_any_text_in_a_session_gets_an_answer_or_an_error(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, helo: str, sender: str, recipient: str, strict: str
) -> None:
    where = directory(strict_rfc821_envelopes=strict)
    arguments = [f"--helo={helo}", f"--sender={sender}", f"--recipient={recipient}", "--json"]
    status = main(["--client", "203.0.113.7", *arguments, "-c", where])
    captured = capsys.readouterr()
    if status == 0:
        assert json.loads(captured.out)["replies"]
    else:
        assert status == 2
        assert captured.err.startswith("tlsproxy-trace: ")


@pytest.mark.parametrize("version", ["3.5", "3.6", "3.8", "3.9", "3.10", "3.11", "3.12"])
def test_every_release_can_be_asked(capsys: pytest.CaptureFixture[str], directory: MakeDirectory, version: str) -> None:
    settings = {"postscreen_access_list": "cidr:{{203.0.113.0/24 reject}}"}
    status, out, err = traced(capsys, directory(**settings), "--service", "25/inet", "--postfix-version", version)
    assert (status, err) == (0, "")
    assert "250 2.1.5 Ok" in out


def test_assumption_decides(capsys: pytest.CaptureFixture[str], directory: MakeDirectory) -> None:
    where = directory(smtpd_client_restrictions="reject_rbl_client list.example")
    _, out, _ = traced(capsys, where)
    assert "depends on dnsbl:list.example" in out
    _, out, _ = traced(capsys, where, "--assume", "dnsbl:list.example=listed:so bad")
    assert "blocked using list.example; so bad" in out
    assert "depends on" not in out


def test_postscreen_in_front_is_asked_first(capsys: pytest.CaptureFixture[str], directory: MakeDirectory) -> None:
    settings = {"postscreen_access_list": "cidr:{{203.0.113.0/24 reject}}", "postscreen_blacklist_action": "drop"}
    status, out, _ = traced(capsys, directory(**settings), "--service", "25/inet")
    assert status == 0
    assert "postscreen(8) in front of 25/inet" in out
    assert "drop" in out.splitlines()[0]
    assert "RCPT TO" not in out


def test_policy_service_is_asked_over_its_socket(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    with PolicyService(tmp_path / "private" / "policy", b"action=450 4.7.9 later\n\n") as service:
        settings = {"smtpd_recipient_restrictions": "check_policy_service unix:private/policy"}
        where = directory(queue_directory=str(tmp_path), **settings)
        _, out, _ = traced(capsys, where, "--ask", "--json")
    answer = json.loads(out)
    assert answer["replies"][3]["text"] == "4.7.9 <ann@mail.example.com>: Recipient address rejected: later"
    assert answer["replies"][3]["depends"] == []
    request = dict(line.split("=", 1) for line in service.requests[0].decode().strip().split("\n"))
    assert request["request"] == "smtpd_access_policy"
    assert request["protocol_state"] == "RCPT"
    assert (request["sender"], request["recipient"]) == ("joe@else.example", "ann@mail.example.com")
    assert (request["client_address"], request["client_name"]) == ("203.0.113.7", "mx.partner.example")


@pytest.mark.parametrize("answer", [b"", b"nonsense\n\n", b"action=" + b"x" * 100_000], ids=["none", "bad", "endless"])
def test_policy_service_without_usable_answer_fails(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, tmp_path: Path, answer: bytes
) -> None:
    (tmp_path / "private").mkdir()
    with PolicyService(tmp_path / "private" / "policy", answer):
        service = "{ unix:private/policy, try_limit=1, timeout=2s }"
        where = directory(queue_directory=str(tmp_path), smtpd_recipient_restrictions=f"check_policy_service {service}")
        _, out, _ = traced(capsys, where, "--ask", "--json")
    assert json.loads(out)["replies"][3]["code"] == 451


class PolicyService:
    """A policy service that gives one answer to everybody, and hangs up."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                try:
                    connection.sendall(self._answer)
                except OSError:
                    continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@ON_POSTFIX
def test_dns_is_asked_where_that_is_wanted(directory: MakeDirectory, tmp_path: Path) -> None:
    records = [
        "7.113.0.203.list.example A 127.0.0.4",
        '7.113.0.203.list.example TXT "known offender"',
        "7.113.0.203.in-addr.arpa PTR mx.partner.example.",
        "mx.partner.example A 203.0.113.7",
        "else.example MX 10 mx.else.example.",
        "nomail.example MX 0 .",
        "mx.else.example A 192.0.2.77",
    ]
    with NameServer(records, address=own_address(), port=53) as server:
        within = server.seen_through(tmp_path / "resolv.conf")

        def ask(sender: str = "joe@else.example", **values: str) -> dict[str, Any]:
            arguments = ["--client", "203.0.113.7", "--dns", "--json", "--sender", sender]
            run = command(*arguments, "--recipient", "ann@mail.example.com", "-c", directory(**values), within=within)
            return next(each for each in json.loads(run.stdout)["replies"] if each["command"] == "RCPT")

        listed = ask(smtpd_client_restrictions="reject_rbl_client list.example")
        assert listed["text"].endswith("Client host [203.0.113.7] blocked using list.example; known offender")
        assert ask(smtpd_client_restrictions="reject_rbl_client list.example=127.0.0.[5..9]")["code"] == 250
        assert ask(smtpd_client_restrictions="reject_unknown_client_hostname")["code"] == 250
        unknown = ask("joe@missing.example", smtpd_sender_restrictions="reject_unknown_sender_domain")
        assert unknown["text"].endswith("Sender address rejected: Domain not found")
        null = ask("joe@nomail.example", smtpd_sender_restrictions="reject_unknown_sender_domain")
        assert "does not accept mail (nullMX)" in null["text"]
        table = "check_sender_mx_access inline:{{192.0.2=REJECT net}}"
        assert ask(smtpd_sender_restrictions=table)["text"].endswith("Sender address rejected: net")


def test_text_names_the_setting_that_completes_a_recipient(
    capsys: pytest.CaptureFixture[str], directory: MakeDirectory, tmp_path: Path
) -> None:
    assert main([*ARGUMENTS, "--recipient", "ann", "-c", directory(myorigin="example.com")]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if each.startswith("  recipient ")]
    assert line.startswith("  recipient   ann@example.com  (myorigin ")
    assert f" {tmp_path}/main.cf:" in line
    assert "main.cf /" not in line


def test_full_device_is_a_write_error(directory: MakeDirectory) -> None:
    arguments: list[str | Path] = [
        sys.executable,
        Path(sys.executable).with_name("tlsproxy-trace"),
        "--init",
        "-c",
        directory(),
    ]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (result.returncode, result.stderr) == (2, "tlsproxy-trace: write error: No space left on device\n")


def test_closed_output_is_no_error(directory: MakeDirectory) -> None:
    program = Path(sys.executable).with_name("tlsproxy-trace")
    arguments: list[str | Path] = [
        sys.executable,
        program,
        *ARGUMENTS,
        *["--recipient", "ann@mail.example.com"] * 3000,
        "-c",
        directory(),
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_every_option(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--completion", shell])
    assert end.value.code == 0
    script = capsys.readouterr().out
    for option in ("client", "sasl-user", "expect", "assume", "json"):
        assert option in script


def test_help_has_examples_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "exit status:" in out


def command(
    *arguments: str, input: str = "", within: Callable[..., list[str]] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as users do."""
    program = [sys.executable, str(Path(sys.executable).with_name("tlsproxy-trace")), *map(str, arguments)]
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    argv = within(*program) if within else program
    pipes: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "errors": "surrogateescape"}
    return subprocess.run(argv, input=input, env=environment, timeout=60, **pipes)
