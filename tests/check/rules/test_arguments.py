"""Arguments in master.cf as daemons read them, where postconf(1) reads something else."""

from __future__ import annotations

import pytest

from tlsproxy.check.text.sources import MasterFile


@pytest.mark.parametrize(
    ("arguments", "settings", "invalid"),
    [
        ("-osmtpd_tls_auth_only=yes", {"smtpd_tls_auth_only": "yes"}, []),
        ("-vosmtpd_tls_security_level=none -v", {"smtpd_tls_security_level": "none"}, []),
        ("-o { smtpd_banner = a b } -o\n  x=y", {"smtpd_banner": "a b", "x": "y"}, []),
        ("-o x=1 -- -o y=2", {"x": "1"}, []),
        ("-x -o y=2", {}, [(1, 27, "x")]),
        ("-o x=1 -D1", {"x": "1"}, [(1, 35, "1")]),
        ("--o x=1", {}, [(1, 27, "-")]),
    ],
)
def test_arguments_are_read_by_the_rules_of_getopt(
    arguments: str, settings: dict[str, str], invalid: list[tuple[int, int, str]]
) -> None:
    [entry] = MasterFile("master.cf", f"smtp inet n - y - - smtpd {arguments}\n").entries
    assert {each.name: each.value for each in entry.assignments()} == settings
    places = [(entry.line.place(offset), letter) for offset, letter in entry.invalid_options]
    assert [(place.line, place.column - 1, letter) for place, letter in places] == invalid


def test_setting_without_a_value_has_its_name_on_its_line() -> None:
    [entry] = MasterFile("master.cf", "smtp inet n - y - - smtpd\n  -o mynetworks=\n  -o x=y\n").entries
    spans = [each.name_span() for each in entry.assignments()]
    assert [(span.line, span.column, span.end_column) for span in spans] == [(2, 6, 16), (3, 6, 7)]
