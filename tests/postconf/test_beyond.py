"""Additions of tlsproxy-postconf to postconf(1): JSON, origins, completion, releases."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from peers.daemon.proxy import script

from postconf import catalogue, models
from postconf.command import cli


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text(
        "lowest = TLSv1.2\nsmtpd_tls_protocols = >=$lowest\nmail_name = a${b\n", encoding="utf-8"
    )
    (tmp_path / "master.cf").write_text(
        "smtp inet n - y - - smtpd -v {a b}\n"
        "tlsproxy unix - - y - 0 tlsproxy\n"
        "  -o tlsproxy_tls_loglevel=$level -o level=2\n"
    )
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    command = cli.PostconfCommand("postconf", list(arguments))
    status = command.run()
    return status, "\n".join(command.output), capfd.readouterr().err


def test_values_come_with_their_origins(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("lowest = TLSv1.2\nsmtpd_tls_protocols = >=$lowest\n")
    status, output, diagnostics = run(capfd, "-c", str(directory), "--json", "tlsproxy_tls_protocols", "nosuch")
    main_cf = f"{directory}/main.cf"
    assert json.loads(output) == {
        "tlsproxy_tls_protocols": {
            "value": ">=TLSv1.2",
            "text": "$smtpd_tls_protocols",
            "origin": "default",
            "references": {
                "smtpd_tls_protocols": {
                    "text": ">=$lowest",
                    "origin": "main.cf",
                    "file": main_cf,
                    "line": 2,
                    "column": 23,
                },
                "lowest": {"text": "TLSv1.2", "origin": "main.cf", "file": main_cf, "line": 1, "column": 10},
            },
        }
    }
    assert diagnostics == "postconf: warning: nosuch: unknown parameter\n"
    assert status == 0


def test_service_has_its_own_values(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("")
    _, output, _ = run(capfd, "-c", str(directory), "--json", "--service", "tlsproxy/unix")
    report = json.loads(output)
    assert report["tlsproxy_tls_loglevel"]["value"] == "2"
    assert report["tlsproxy_tls_loglevel"]["line"] == 3
    groups = (models.TlsGlobals, models.TlsServer, models.TlsClient, models.ServiceSettings)
    controls = {name for group in groups for name in group.model_fields}
    assert report.keys() >= controls & catalogue.release("3.7").defaults.keys()
    _, output, _ = run(capfd, "-c", str(directory), "--json", "-n", "--service=tlsproxy/unix")
    assert set(json.loads(output)) == {"tlsproxy_tls_loglevel", "level", "process_name", "service_name"}


def test_services_come_with_their_places(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("")
    _, output, diagnostics = run(capfd, "-c", str(directory), "--json", "-M", "smtp", "tlsproxy", "nosuch")
    smtp, tlsproxy = json.loads(output)
    assert (smtp["service"], smtp["type"], smtp["wakeup"], smtp["line"]) == ("smtp", "inet", "-", 1)
    assert smtp["arguments"] == ["-v", "a b"]
    assert tlsproxy["settings"]["tlsproxy_tls_loglevel"]["references"]["level"]["column"] == 44
    assert 'unmatched request: "nosuch"' in diagnostics


def test_value_that_can_not_be_expanded_says_why(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("foo = a${b\nbar = $foo\nmail_name = $bar\n")
    status, output, diagnostics = run(capfd, "-c", str(directory), "--json", "mail_name")
    assert (status, output) == (1, "")
    assert 'truncated macro reference: "a${b"' in diagnostics


def test_bytes_that_are_not_utf_8_can_be_got_back(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_bytes(b"mail_name = \xff\xc3\xa9\n")
    _, output, _ = run(capfd, "-c", str(directory), "--json", "mail_name")
    assert json.loads(output)["mail_name"]["value"].encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


def test_origins_are_printed_in_lines(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("lowest = TLSv1.2\nsmtpd_tls_protocols = >=$lowest\n")
    _, output, _ = run(capfd, "-c", str(directory), "--origin", "tlsproxy_tls_protocols")
    assert output.splitlines() == [
        "tlsproxy_tls_protocols = $smtpd_tls_protocols  (default)",
        f"    smtpd_tls_protocols = >=$lowest  ({directory}/main.cf:2:23)",
        f"        lowest = TLSv1.2  ({directory}/main.cf:1:10)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "-e", "a=b"], "with option --json, do not specify -e"),
        (["--origin", "-M"], "with option --origin, do not specify -M"),
        (["--json", "--service", "smtp"], "--service requires service_name/type"),
        (["--json", "--service", "smtp/unix"], 'no service smtp/unix in DIR/master.cf (did you mean "smtp/inet"?)'),
        (["--json", "-M", "/x"], "--json with -M or -P requires service_name[/type]"),
        (["--service"], "option --service requires an argument"),
        (["--completion", "tcsh"], "no completion for tcsh; there is one for bash, zsh, fish"),
    ],
)
def test_contradictory_arguments_are_refused(
    directory: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (directory / "main.cf").write_text("")
    expected = f"postconf: fatal: {message}\n".replace("DIR", str(directory))
    assert run(capfd, "-c", str(directory), *arguments) == (1, "", expected)


def test_two_dashes_alone_end_our_options_too(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("")
    _, _, diagnostics = run(capfd, "-c", str(directory), "--", "--json")
    assert diagnostics == "postconf: warning: --json: unknown parameter\n"


def complete(shell: str, script: str) -> list[str]:
    run = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("smtpd_tls_a", ["smtpd_tls_always_issue_session_ids", "smtpd_tls_ask_ccert", "smtpd_tls_auth_only"]),
        ("--or", ["--origin"]),
        ("--completion z", ["zsh"]),
        ("--postfix-version 3.1", ["3.10", "3.11", "3.12"]),
        ("-C us", ["user"]),
    ],
)
def test_bash_completes(tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, completed: list[str]) -> None:
    _, script, _ = run(capfd, "--postfix-version", "3.7", "--completion", "bash")
    (tmp_path / "script").write_text(script)
    words = line.split()
    assert completed == complete(
        "bash",
        f"source {tmp_path}/script; COMP_WORDS=(tlsproxy-postconf {line}); COMP_CWORD={len(words)};"
        ' _tlsproxy_postconf; printf "%s\\n" "${COMPREPLY[@]}"',
    )


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(tmp_path: Path, capfd: pytest.CaptureFixture[str], shell: str) -> None:
    _, script, _ = run(capfd, "--completion", shell)
    assert "tlsproxy_tls_protocols" in script
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    (tmp_path / "script").write_text(script)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_completion_has_the_names_of_the_release(capfd: pytest.CaptureFixture[str]) -> None:
    _, script, _ = run(capfd, "--postfix-version=3.9", "--completion=fish")
    assert "tlsproxy_tls_enable_rpk" in script


def on_terminal(*arguments: str) -> str:
    """Return both streams as on one terminal."""
    ours, theirs = pty.openpty()
    ended = subprocess.run([script("tlsproxy-postconf"), *arguments], stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = os.read(ours, 65536).decode()
    except OSError:  # nothing was written
        shown = ""
    os.close(ours)
    assert ended.returncode == 0
    return shown


def test_edit_with_almost_name_is_hinted_at_on_a_terminal(directory: Path) -> None:
    (directory / "main.cf").write_text("")
    config = str(directory)
    assert 'did you mean "smtpd_tls_loglevel"?' in on_terminal("-c", config, "-e", "smtpd_tls_loglevl=1")
    assert "smtpd_tls_loglevl = 1" in (directory / "main.cf").read_text()
    assert 'did you mean "myhostname"?' in on_terminal("-c", config, "-P", "smtp/inet/myhostnam=x")
    for name in ("smtpd_tls_loglevel", "my_own_name", "slow_destination_recipient_limit"):
        assert on_terminal("-c", config, "-e", f"{name}=1") == ""
    piped = subprocess.run(
        [script("tlsproxy-postconf"), "-c", config, "-e", "smtpd_tls_loglevl=1"], capture_output=True
    )
    assert (piped.stdout, piped.stderr) == (b"", b"")


def test_plain_listing_shows_values_as_a_service_sees_them(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("level = 1\n")
    config = str(directory)
    assert run(capfd, "-c", config, "tlsproxy_tls_loglevel")[1] == "tlsproxy_tls_loglevel = $smtpd_tls_loglevel"
    status, output, _ = run(capfd, "-c", config, "--service", "tlsproxy/unix", "-x", "tlsproxy_tls_loglevel", "level")
    assert (status, output) == (0, "tlsproxy_tls_loglevel = 2\nlevel = 2")


@pytest.mark.parametrize("service", ["tlsproxy/unx", "tlsproxi/unix", "nosuch/inet"])
@pytest.mark.parametrize("options", [[], ["--json"], ["--origin"], ["-n"]])
def test_service_that_is_not_there_is_an_error(
    directory: Path, capfd: pytest.CaptureFixture[str], service: str, options: list[str]
) -> None:
    (directory / "main.cf").write_text("")
    status, output, diagnostics = run(capfd, "-c", str(directory), "--service", service, *options, "mail_name")
    assert (status, output) == (1, "")
    assert f"fatal: no service {service} in {directory}/master.cf" in diagnostics
    assert ('(did you mean "tlsproxy/unix"?)' in diagnostics) == (service != "nosuch/inet")


@pytest.mark.parametrize("option", ["-d", "-M", "-F", "-P", "-l", "-m"])
def test_service_goes_with_no_listing_of_anything_else(
    directory: Path, capfd: pytest.CaptureFixture[str], option: str
) -> None:
    status, _, diagnostics = run(capfd, "-c", str(directory), "--service", "smtp/inet", option)
    assert (status, diagnostics) == (1, f"postconf: fatal: with option --service, do not specify {option}\n")


def test_origins_as_json_are_the_lines_of_origin(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (directory / "main.cf").write_text("lowest = TLSv1.2\nsmtpd_tls_protocols = >=$lowest\n")
    _, output, _ = run(capfd, "-c", str(directory), "--origin", "--json", "tlsproxy_tls_protocols")
    chain = json.loads(output)["tlsproxy_tls_protocols"]["chain"]
    assert [(each["name"], each["depth"], each.get("line")) for each in chain] == [
        ("tlsproxy_tls_protocols", 0, None),
        ("smtpd_tls_protocols", 1, 2),
        ("lowest", 2, 1),
    ]
