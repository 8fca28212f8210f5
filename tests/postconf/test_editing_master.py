"""Entries of master.cf change, and the arguments of their commands stay."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from postconf.editing.entry import EditableEntry
from postconf.editing.master import MasterCf
from postconf.errors import ConfigError
from postconf.syntax.mastercf import closing_brace

FILE = """\
# Services
smtp      inet  n       -       y       -       -       smtpd
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
# as above
  -o smtpd_tls_security_level=encrypt
tlsproxy  unix  -       -       y       -       0       tlsproxy
"""


def edited(text: str = FILE) -> tuple[MasterCf, list[str]]:
    warnings: list[str] = []
    return MasterCf(text, "master.cf", warnings.append), warnings


def entry(arguments: str) -> str:
    """Return an entry with these arguments as it is written back."""
    master, _ = edited(f"smtp inet n - y - - smtpd {arguments}\n")
    master.set_field("smtp", "inet", "wakeup", "1")
    head, _, rest = master.text.partition("smtpd")
    assert head == "smtp       inet  n       -       y       1       -       "
    return " ".join(rest.split())


def test_field_changes_and_the_entry_is_written_in_columns() -> None:
    master, _ = edited()
    master.set_field("submission", "inet", "chroot", "n")
    assert master.text == FILE.replace(
        "submission inet n - y - - smtpd\n"
        "  -o syslog_name=postfix/submission\n"
        "# as above\n"
        "  -o smtpd_tls_security_level=encrypt\n",
        "# as above\n"
        "submission inet  n       -       n       -       -       smtpd\n"
        "    -o syslog_name=postfix/submission\n"
        "    -o smtpd_tls_security_level=encrypt\n",
    )


def test_parameter_changes_or_is_added_or_removed() -> None:
    master, _ = edited()
    master.set_parameter("submission", "inet", "syslog_name", "mail")
    master.set_parameter("*", "unix", "tlsproxy_tls_loglevel", "1")
    master.remove_parameter("*", "*", "smtpd_tls_security_level")
    assert "    -o syslog_name=mail\ntlsproxy" in master.text
    assert master.text.endswith("tlsproxy\n    -o tlsproxy_tls_loglevel=1\n")
    assert "security_level" not in master.text


def test_service_is_removed_commented_out_replaced_or_added() -> None:
    master, warnings = edited()
    master.comment_out_entry("submission", "inet")
    assert "#submission inet n - y - - smtpd\n#  -o syslog_name" in master.text
    master.remove_entry("smtp", "inet")
    assert master.text.startswith("# Services\n#submission")
    master.set_entry("tlsproxy", "unix", "tlsproxy unix - - n - 0 tlsproxy -v")
    assert master.text.endswith("tlsproxy   unix  -       -       n       -       0       tlsproxy -v\n")
    master.set_entry("smtps", "inet", "smtps inet n - y - - smtpd -o smtpd_tls_wrappermode=yes")
    assert master.text.endswith("smtpd\n    -o smtpd_tls_wrappermode=yes\n")
    assert warnings == []


def test_unmatched_service_is_reported() -> None:
    master, warnings = edited()
    master.set_field("smtp", "unix", "chroot", "n")
    assert master.text == FILE
    assert warnings == ['unmatched service_name/type: "smtp/unix/chroot"']


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("-ofoo=bar", "-o foo=bar"),
        ("-vvofoo=bar", "-vv -o foo=bar"),
        ("-vo foo=bar", "-v -o foo=bar"),
        ("-o { foo = a b }", "-o {foo=a b}"),
        ("-o{foo=bar}", "-o foo=bar"),
        ("-o foo={a b}", "-o {foo={a b}}"),
        ("-o {foo=a}b -v", "-o {foo=a}b -v"),
        ("-o {{x}=y}", "-o {{x}=y}"),
        ("-n foo -o x=y", "-n foo -o x=y"),
        ("-io -v", "-io -v"),
        ("argv=/bin/x {a b} {c}", "argv=/bin/x {a b} c"),
        ("{a b} {c d}", "{a b} {c d}"),
        ("{} x {}", "{} x {}"),
        ("{{a}}", "{{a}}"),
        ("-- -ofoo {a b}", "-- -ofoo {a b}"),
        ("a{b c} d{e f}", "a{b c} {d{e f}}"),
    ],
)
def test_arguments_of_the_command_keep_their_meaning(written: str, kept: str) -> None:
    assert entry(written) == kept
    assert entry(kept) == kept


def test_parameter_is_found_in_every_form() -> None:
    for written in ("-ofoo=bar", "-vofoo=bar", "-o foo=bar", "-o { foo = b a r }", "-o{foo=bar}"):
        master, _ = edited(f"smtp inet n - y - - smtpd {written}\n")
        master.set_parameter("smtp", "inet", "foo", "new")
        assert master.text.count("foo") == 1
        assert "-o foo=new" in master.text


def test_comment_without_newline_at_the_end_hides_no_entry() -> None:
    master, _ = edited("smtp inet n - y - - smtpd\n# the end")
    master.set_field("smtp", "inet", "chroot", "n")
    assert master.text == "# the end\nsmtp       inet  n       -       n       -       -       smtpd\n"


def test_nul_is_kept() -> None:
    master, _ = edited("smtp inet\0n - y - - smtpd\nother inet n - y - - smtpd\n")
    master.comment_out_entry("smtp", "inet")
    assert master.text == "#smtp inet\0n - y - - smtpd\nother inet n - y - - smtpd\n"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("smtp\n", "file master.cf: line 1: specify service name and type on the same line", "master.cf:1"),
        ("smtp inet\0n - y - - smtpd\n", "file master.cf: line 1: bad field count", "master.cf:1"),
        ("\n#\nx inet n - y - - smtpd\n -v\nsmtp inet n\n", "file master.cf: line 5: bad field count", "master.cf:5"),
        (
            "smtp inet n - x - - smtpd\n  -v\n",
            'invalid chroot field "x" in "smtp inet n - x - - smtpd   -v "',
            "master.cf:1",
        ),
    ],
)
def test_entry_that_is_not_understood_is_not_changed(text: str, message: str, place: str) -> None:
    master, _ = edited(text)
    with pytest.raises(ConfigError) as caught:
        master.set_parameter("smtp", "inet", "foo", "bar")
    assert caught.value.message == message
    assert str(caught.value.place) == place
    assert master.text == text


def test_new_setting_comes_before_a_brace_that_has_no_end() -> None:
    master, _ = edited("smtp inet n - y - - smtpd -v -o foo={bar baz\n")
    master.set_parameter("smtp", "inet", "new", "1")
    assert " ".join(master.text.split()).endswith("smtpd -v -o new=1 -o foo={bar baz")
    master.set_parameter("smtp", "inet", "new", "2")
    assert " ".join(master.text.split()).endswith("smtpd -v -o new=2 -o foo={bar baz")


def test_bad_request_is_no_mistake_of_the_file() -> None:
    master, _ = edited()
    for field, value in (("chroot", "x"), ("command", ""), ("service", "")):
        with pytest.raises(ConfigError) as caught:
            master.set_field("smtp", "inet", field, value)
        assert caught.value.place is None
    with pytest.raises(ConfigError, match=r"^bad field count"):
        master.set_entry("x", "inet", "x inet n")
    assert master.text == FILE


@pytest.mark.parametrize("field", ["chrooot", "*", ""])
def test_unknown_field_is_an_error_that_names_the_fields(field: str) -> None:
    master, _ = edited()
    with pytest.raises(ConfigError, match="one of service, type, private") as caught:
        master.set_field("smtp", "inet", field, "n")
    assert f'"{field}"' in caught.value.message
    assert master.text == FILE


words = st.one_of(st.text("-ovn= \tab", max_size=8), st.text("-o{}= ab", max_size=8))


@given(st.lists(words, max_size=5))
def test_entry_written_back_is_read_as_the_same_entry(arguments: list[str]) -> None:
    assume(all(closing_brace(f"{{{argument}}}", 0) == len(argument) + 1 for argument in arguments))
    once = EditableEntry(" ".join(["smtp inet n - y - - smtpd", *arguments]))
    again = EditableEntry(once.text())
    assert again.text() == once.text()
    assert [option.name for option in again.options] == [option.name for option in once.options]


@given(st.text("smtp inet-vo{}#=\n\0\t"))
def test_no_file_is_too_odd(text: str) -> None:
    master, _ = edited(text)
    try:
        master.set_parameter("*", "*", "foo", "bar")
    except ConfigError:
        assert master.text == text
