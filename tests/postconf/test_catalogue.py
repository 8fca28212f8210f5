"""The catalogue agrees with the postconf(1) of every release."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from postconf import catalogue
from postconf.command import cli
from postconf.machine.host import FixedHost

GOLDEN = Path(__file__).parent.parent / "golden" / "postconf-d"
HOST = "mail.example.com"


def recorded(release: str) -> dict[str, str]:
    """Return the output of `postconf -d` of this release."""
    lines = (GOLDEN / f"{release}.txt").read_text().splitlines()
    return {name.rstrip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def test_every_recorded_release_is_catalogued() -> None:
    assert sorted(catalogue.releases()) == sorted(path.stem for path in GOLDEN.glob("*.txt"))


@pytest.mark.parametrize("name", catalogue.releases())
def test_defaults_are_those_that_the_release_prints(name: str) -> None:
    release = catalogue.release(name)
    printed = recorded(name)
    for parameter, default in release.defaults.items():
        if release.kinds[parameter] in (catalogue.COMPUTED, catalogue.ADHOC):
            assert default == ""
        else:
            assert (parameter, default) == (parameter, printed[parameter])


TRANSPORTS = ["smtp smtp", "relay smtp", "error error", "retry error", "local local", "virtual virtual", "lmtp lmtp"]
DEBIAN_12 = [f"{name} pipe" for name in ("maildrop", "uucp", "ifmail", "bsmtp", "scalemail-backend", "mailman")]


@pytest.mark.parametrize("name", catalogue.releases())
def test_defaults_are_printed_as_the_release_prints_them(name: str, tmp_path: Path) -> None:
    services = TRANSPORTS + DEBIAN_12 * (name == "3.7.11-debian12")
    entries = [service.replace(" ", " unix - - n - - ") for service in services]
    (tmp_path / "master.cf").write_text("\n".join(entries))
    command = cli.PostconfCommand("postconf", ["-c", str(tmp_path), "--postfix-version", name, "-d"], FixedHost(HOST))
    assert command.run() == 0
    printed = "".join(f"{line}\n" for line in command.output)
    golden = (GOLDEN / f"{name}.txt").read_text()
    assert printed == golden.replace("process_id = 1\n", f"process_id = {os.getpid()}\n")


@pytest.mark.parametrize("name", catalogue.releases())
def test_other_names_that_a_release_prints_are_in_master_cf(name: str) -> None:
    release = catalogue.release(name)
    suffixes = release.service_parameters("pipe")
    for parameter, printed in recorded(name).items():
        if parameter not in release.defaults:
            assert printed in {default for suffix, default in suffixes if parameter.endswith(suffix)}


def test_services_have_parameters_by_their_program() -> None:
    release = catalogue.release("3.7")
    assert ("_transport_rate_delay", "$default_transport_rate_delay") in release.service_parameters("smtp")
    assert "_time_limit" not in dict(release.service_parameters("smtp"))
    assert release.service_parameters("spawn") == [("_time_limit", "$command_time_limit")]
    assert release.service_parameters("smtpd") == []


def test_branch_means_its_catalogued_release() -> None:
    assert catalogue.release("3.6").name == "3.6.20"
    assert catalogue.release().name == "3.7.11"
    assert catalogue.release("3.12").name == "3.12-20260821"


def test_patch_release_has_the_parameters_of_the_one_before() -> None:
    between = catalogue.release("3.7.14")
    assert between.defaults["mail_version"] == "3.7.14"
    assert between.defaults["milter_default_action"] == "tempfail"
    assert catalogue.release("3.7.23").defaults["milter_default_action"] == "shutdown"


@pytest.mark.parametrize(
    ("version", "name", "default"),
    [
        ("3.8.3", "smtpd_forbid_bare_newline", None),
        ("3.8.4", "smtpd_forbid_bare_newline", "no"),
        ("3.9.0", "smtpd_forbid_bare_newline", "normalize"),
        ("3.7.9", "cleanup_replace_stray_cr_lf", None),
        ("3.7.10", "cleanup_replace_stray_cr_lf", "yes"),
        ("3.7.19", "milter_default_action", "tempfail"),
        ("3.7.20", "milter_default_action", "shutdown"),
        ("3.10.7", "milter_default_action", "tempfail"),
        ("3.5.8", "smtp_tls_dane_insecure_mx_policy", "dane"),
        ("3.5.1", "maillog_file_rotate_suffix", "%Y%M%d-%H%M%S"),
    ],
)
def test_patch_release_has_the_changes_of_its_branch_so_far(version: str, name: str, default: str | None) -> None:
    release = catalogue.release(version)
    assert release.defaults.get(name) == default
    assert (name in release.kinds) == (default is not None)


def test_distribution_builds_with_other_defaults() -> None:
    assert catalogue.release("3.7", build="debian").name == "3.7.11-debian12"
    assert catalogue.release("3.7", build="debian").defaults["daemon_directory"] == "/usr/lib/postfix/sbin"
    assert catalogue.release("3.7").defaults["daemon_directory"] == "/usr/libexec/postfix"
    assert catalogue.release("3.6", build="debian").name == "3.6.20"


@pytest.mark.parametrize("version", ["2.11", "4.0", "", "3", "three", "3.x", "3.7.", "\u0663.7"])
def test_unknown_version_is_refused(version: str) -> None:
    with pytest.raises(catalogue.UnknownReleaseError):
        catalogue.release(version)


def test_fix_counts_from_the_first_release_of_each_branch() -> None:
    firsts = ("3.7.15", "3.8.10", "3.9.4")
    assert not catalogue.release("3.6").since(*firsts)
    assert not catalogue.release("3.7.14").since(*firsts)
    assert catalogue.release("3.7.15").since(*firsts)
    assert not catalogue.release("3.8.9").since(*firsts)
    assert catalogue.release("3.12").since(*firsts)


def test_limits_and_readers_of_a_parameter() -> None:
    release = catalogue.release("3.7")
    random_bytes = release.parameter("tls_daemon_random_bytes")
    assert (random_bytes.kind, random_bytes.minimum, random_bytes.maximum) == ("int", 1, 0)
    assert random_bytes.role == "global"
    cleanup = release.parameter("address_verify_cache_cleanup_interval")
    assert (cleanup.kind, cleanup.unit, cleanup.default, cleanup.programs) == ("time", "h", "12h", ("verify",))
    with pytest.raises(KeyError):
        release.parameter("tlsproxy_tls_enable_rpk")


def test_old_names_are_known_and_advised_against_by_release() -> None:
    assert "virtual_maps" in catalogue.release("3.7").legacy()
    assert "postscreen_blacklist_action" not in catalogue.release("3.5").legacy()
    assert catalogue.release("3.8").deprecated() == {}
    assert len(catalogue.release("3.9").deprecated()) == 19
    advice = catalogue.release("3.11").deprecated()
    assert advice["virtual_maps"] == 'specify "virtual_alias_maps"'
    assert advice["lmtp_enforce_tls"] == "lmtp_tls_security_level"
    assert advice["smtpd_tls_eecdh_grade"] == "do not specify (leave at default)"


def test_database_clients_have_keys_by_release() -> None:
    assert "mongodb" not in catalogue.release("3.8").dbms_suffixes()
    assert "uri" in catalogue.release("3.9").dbms_suffixes()["mongodb"]
    assert "tls_require_cert" in catalogue.release("3.7").dbms_suffixes()["ldap"]
    assert "charset" in catalogue.release("3.12").dbms_suffixes()["mysql"]
    assert "charset" not in catalogue.release("3.8").dbms_suffixes()["mysql"]


def test_reading_the_catalogue_imports_no_file() -> None:
    script = "import sys; before = set(sys.modules); import postconf.catalogue; postconf.catalogue.release()\n"
    script += "print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(run.stdout.split()) - set(sys.builtin_module_names)
    assert imported <= {"__future__", "postconf", "postconf.catalogue", "postconf.errors"}


@pytest.mark.postfix
def test_installed_postfix_has_these_defaults() -> None:
    def ask(*arguments: str) -> str:
        return subprocess.run(["postconf", *arguments], capture_output=True, text=True, check=True).stdout

    release = catalogue.release(ask("-d", "-h", "mail_version").strip(), build="debian")
    printed = dict(line.split(" =", 1) for line in ask("-d").splitlines())
    for name, default in release.defaults.items():
        if release.kinds[name] not in (catalogue.COMPUTED, catalogue.ADHOC):
            assert (name, default) == (name, printed[name].strip())
