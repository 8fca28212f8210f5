"""Values have the meaning that Postfix's daemons give them."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf import catalogue, values
from postconf.values import CipherGrade, InvalidValueError, Protocols, SecurityLevel

RELEASE = catalogue.release("3.7")
WATCHDOG = RELEASE.parameter("tlsproxy_watchdog_timeout")  # at least 10s
CLEANUP = RELEASE.parameter("address_verify_cache_cleanup_interval")  # a bare number is hours
RANDOM_BYTES = RELEASE.parameter("tls_daemon_random_bytes")  # at least 1
DEPTH = RELEASE.parameter("tlsproxy_tls_ccert_verifydepth")  # no limits

LIBC = ctypes.CDLL(None, use_errno=True)


def strtol(text: str) -> tuple[int, str]:
    """The C library's."""
    LIBC.strtol.restype = ctypes.c_long
    buffer = ctypes.create_string_buffer(text.encode())
    end = ctypes.c_void_p()
    number = LIBC.strtol(buffer, ctypes.byref(end), 10)
    assert end.value is not None
    return number, ctypes.string_at(end.value).decode()


def strtoul(text: str) -> tuple[int, str]:
    LIBC.strtoul.restype = ctypes.c_ulong
    buffer = ctypes.create_string_buffer(text.encode())
    end = ctypes.c_void_p()
    number = LIBC.strtoul(buffer, ctypes.byref(end), 16)
    assert end.value is not None
    return number, ctypes.string_at(end.value).decode()


@pytest.mark.parametrize("text", ["yes", "YES", "yEs"])
def test_yes_in_any_case(text: str) -> None:
    assert values.boolean("smtpd_use_tls", text) is True


@pytest.mark.parametrize("text", ["", "true", "1", "on", "yes ", "ye\u017f"])
def test_everything_but_yes_and_no_is_fatal(text: str) -> None:
    with pytest.raises(InvalidValueError, match=f"^bad boolean configuration: smtpd_use_tls = {text}$"):
        values.boolean("smtpd_use_tls", text)


number_like = st.text("0123456789+- \t\v\f\r\nxXaf_", max_size=24)


@given(number_like)
def test_numbers_are_read_as_by_the_c_library(text: str) -> None:
    number, rest = strtol(text)
    valid = text and not rest and -(2**31) <= number < 2**31
    try:
        assert values.integer(DEPTH, text) == number
        assert valid
    except InvalidValueError as error:
        assert not valid
        assert error.message == f"bad numerical configuration: {DEPTH.name} = {text}"


def test_number_of_any_length_is_refused_in_good_order() -> None:
    with pytest.raises(InvalidValueError):
        values.integer(DEPTH, "9" * 10_000)
    assert values.integer(DEPTH, "0" * 10_000 + "7") == 7


@pytest.mark.parametrize("text", ["\u0661", "1_000", "1.0", "0x10", "seven"])
def test_numbers_of_python_only_are_rejected(text: str) -> None:
    with pytest.raises(InvalidValueError):
        values.integer(DEPTH, text)


def test_numbers_have_the_limits_of_the_catalogue() -> None:
    assert values.integer(RANDOM_BYTES, "1") == 1
    with pytest.raises(InvalidValueError, match=r"^invalid tls_daemon_random_bytes parameter value 0 < 1$"):
        values.integer(RANDOM_BYTES, "0")
    assert values.integer(DEPTH, "-1") == -1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10", 10), ("10s", 10), ("2m", 120), ("1h", 3600), ("1d", 86400), ("1w", 604800), ("11seconds", 11)],
)
def test_times_have_units(text: str, expected: int) -> None:
    assert values.seconds(WATCHDOG, text) == expected


def test_bare_time_has_the_unit_of_its_parameter() -> None:
    assert values.seconds(CLEANUP, "2") == 7200


@pytest.mark.parametrize("text", ["", "ten", "10x", "-1s", "10 s", "99999999999", "3551w", "1M"])
def test_bad_times_are_fatal(text: str) -> None:
    with pytest.raises(
        InvalidValueError, match=f"^parameter tlsproxy_watchdog_timeout: bad time value or unit: {text}$"
    ):
        values.seconds(WATCHDOG, text)


def test_times_have_the_limits_of_the_catalogue() -> None:
    with pytest.raises(InvalidValueError, match=r"^invalid tlsproxy_watchdog_timeout: 5 \(min 10\)$") as caught:
        values.seconds(WATCHDOG, "5")
    assert caught.value.remedy == "specify at least 10s"


def test_strings_have_a_length_in_bytes() -> None:
    ciphers = RELEASE.parameter("tls_high_cipherlist")
    assert values.string(ciphers, "HIGH") == "HIGH"
    with pytest.raises(InvalidValueError, match=r"^bad string length 0 < 1: tls_high_cipherlist = $"):
        values.string(ciphers, "")
    delimiters = RELEASE.parameter("default_verp_delimiters")
    assert (delimiters.minimum, delimiters.maximum) == (2, 2)
    assert values.string(delimiters, "\u00e9") == "\u00e9"


def test_lists_are_split_at_commas_and_blanks() -> None:
    assert values.words(" a,b ,, c\td\r\n") == ("a", "b", "c", "d")
    assert values.words("a\u00a0b\x0bc") == ("a\u00a0b\x0bc",)
    assert values.cipher_exclusions("aNULL:MD5, RC4") == ("aNULL", "MD5", "RC4")


def test_levels_by_word() -> None:
    assert values.security_level("", values.SERVER_LEVELS) is None
    assert values.security_level("May", values.SERVER_LEVELS) is SecurityLevel.MAY
    assert values.security_level("dane-only", values.CLIENT_LEVELS) is SecurityLevel.DANE_ONLY
    for word in ("dane", "halfdane", "half-dane", "may,encrypt"):
        with pytest.raises(InvalidValueError, match=f'^Invalid TLS level "{word}"$'):
            values.security_level(word, values.SERVER_LEVELS)
    assert [level.word for level in SecurityLevel if level > SecurityLevel.ENCRYPT] == [
        "fingerprint", "half-dane", "dane", "dane-only", "verify", "secure",
    ]  # fmt: skip


def test_grades_by_word() -> None:
    assert values.cipher_grade("HIGH") is CipherGrade.HIGH
    assert values.cipher_grade("invalid") is None
    assert values.cipher_grade("") is None
    assert values.cipher_grade("export") is CipherGrade.EXPORT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Protocols()),
        (">=TLSv1", Protocols(minimum=0x301)),
        (">=tlsv1.2 <=TLSV1.3", Protocols(minimum=0x303, maximum=0x304)),
        (">=TLSv1, >=TLSv1.2", Protocols(minimum=0x303)),
        (">=0303", Protocols(minimum=0x303)),
        (">=0x303:<=0X304", Protocols(minimum=0x303, maximum=0x304)),
        (">=+303", Protocols(minimum=0x303)),
        (">=", Protocols()),
        (">=none", Protocols()),
        (">=999", Protocols(minimum=0x999)),
        ("!SSLv2, !SSLv3", Protocols(frozenset({"SSLv3"}))),
        ("SSLv2", Protocols()),
        ("TLSv1.2", Protocols(frozenset({"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.3"}))),
        ("TLSv1.2 TLSv1.3 !TLSv1.3", Protocols(frozenset({"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.3"}))),
        # Looks like a limit, and is an empty limit and an inclusion.
        (">= TLSv1.2", Protocols(frozenset({"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.3"}))),
    ],
)
def test_protocol_lists(text: str, expected: Protocols) -> None:
    assert values.protocols(text) == expected


@pytest.mark.parametrize(
    "text", ["TLSv1_2", "! TLSv1", "=TLSv1.2", ">TLSv1.2", ">=-1", ">=TLSv9", ">=SSLv2", "!", ">=0x", ">=80000000"]
)
def test_bad_protocol_lists(text: str) -> None:
    assert values.protocols(text) is None


@given(st.text("0123456789+-xXafFg\v\f", max_size=20))
def test_hexadecimal_versions_are_read_as_by_the_c_library(text: str) -> None:
    number, rest = strtoul(text)
    parsed = values.protocols(f">={text}")
    assert parsed == (None if rest or number > 2**31 - 1 else Protocols(minimum=number))


@given(st.sampled_from(sorted(RELEASE.defaults)), st.text())
def test_no_text_is_too_odd(name: str, text: str) -> None:
    try:
        values.parse(RELEASE.parameter(name), text)
    except InvalidValueError as error:
        assert name in error.message
        assert error.remedy


@pytest.mark.parametrize("version", catalogue.upstream_releases())
def test_defaults_are_good_values(version: str) -> None:
    release = catalogue.release(version)
    for name, default in release.defaults.items():
        parameter = release.parameter(name)
        # virtual(8) insists on a setting, and expressions have to be expanded first.
        if (
            name != "virtual_mailbox_base"
            and "$" not in default
            and parameter.kind not in (catalogue.COMPUTED, catalogue.ADHOC)
        ):
            values.parse(parameter, default)
