"""Settings of main.cf change, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf.editing.main import MainCf
from postconf.errors import ConfigError
from postconf.syntax.maincf import read_settings

FILE = """\
# Who we are
myhostname = mail.example.com
mynetworks = 127.0.0.0/8,
    # the office
    192.0.2.0/24

    [::1]/128
# How long we wait
smtp_helo_timeout=5m
mynetworks = 127.0.0.1
"""


def edited(text: str = FILE) -> tuple[MainCf, list[str]]:
    warnings: list[str] = []
    return MainCf(text, "main.cf", warnings.append), warnings


def test_setting_is_replaced_in_its_place() -> None:
    main, warnings = edited()
    main.set("smtp_helo_timeout", "1m")
    assert main.text == FILE.replace("smtp_helo_timeout=5m", "smtp_helo_timeout = 1m")
    assert warnings == []


def test_all_occurrences_are_replaced_and_comments_stay() -> None:
    main, warnings = edited()
    main.set("mynetworks", "192.0.2.1")
    assert main.text == (
        "# Who we are\n"
        "myhostname = mail.example.com\n"
        "mynetworks = 192.0.2.1\n"
        "    # the office\n"
        "\n"
        "# How long we wait\n"
        "smtp_helo_timeout=5m\n"
        "mynetworks = 192.0.2.1\n"
    )
    assert warnings == ['main.cf: multiple entries for "mynetworks"']


def test_new_setting_comes_last() -> None:
    main, _ = edited()
    main.set("relayhost", "")
    assert main.text == FILE + "relayhost = \n"


def test_setting_is_removed_with_its_continuation_lines() -> None:
    main, _ = edited()
    main.remove("mynetworks", "nosuch")
    assert main.text == (
        "# Who we are\nmyhostname = mail.example.com\n    # the office\n\n# How long we wait\nsmtp_helo_timeout=5m\n"
    )


def test_setting_is_commented_out_with_its_continuation_lines() -> None:
    main, _ = edited()
    main.comment_out("mynetworks")
    assert "#mynetworks = 127.0.0.0/8,\n    # the office\n#    192.0.2.0/24\n\n#    [::1]/128\n" in main.text
    assert main.text.endswith("#mynetworks = 127.0.0.1\n")


def test_setting_gets_another_name_and_keeps_its_layout() -> None:
    main, _ = edited()
    main.rename("mynetworks", "my_networks")
    assert main.text == FILE.replace("mynetworks", "my_networks")


def test_last_setting_is_the_one_to_keep() -> None:
    main, _ = edited()
    main.keep_last("mynetworks")
    main.keep_last("myhostname")
    main.keep_last("nosuch")
    before, _, after = FILE.partition("mynetworks = 127.0.0.0/8,\n")
    assert main.text == before + after.replace("    192.0.2.0/24\n", "").replace("    [::1]/128\n", "")


@pytest.mark.parametrize("tail", ["foo = bar", "foo = bar\udcff", "foo = a\0b", "# the end"])
def test_last_line_without_newline_is_not_glued_nor_lost(tail: str) -> None:
    main, _ = edited(tail)
    main.set("new", "1")
    assert main.text == f"{tail}\nnew = 1\n"


def test_odd_bytes_stay() -> None:
    text = "\0x = 1\nfoo\0 = 2\nbar = \udcc3\udc28\r\n \0\nbaz = \0\n  more\n"
    main, _ = edited(text)
    main.set("baz", "3")
    assert main.text == "\0x = 1\nfoo\0 = 2\nbar = \udcc3\udc28\r\n \0\nbaz = 3\n"


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), ("a b", "x"), ("a=b", "x"), ("a", "x\ny"), ("#a", "x"), (" a", "x"), ("a", "x\0")]
)
def test_text_with_another_meaning_when_read_is_refused(name: str, value: str) -> None:
    main, _ = edited()
    with pytest.raises(ValueError, match="not a setting of one line"):
        main.set(name, value)
    assert main.text == FILE


def settings(text: str) -> dict[str, str]:
    return {name: setting.value for name, setting in read_settings(text, "main.cf", lambda _: None).items()}


names = st.sampled_from(["a", "b", "c", "d"])
lines = st.one_of(
    st.builds("{} = {}\n".format, names, st.text("xy $=#{}\t\r\v\0\udcff", max_size=6)),
    st.text(" \t#xy=\0\r", max_size=6).map(lambda text: f"{text}\n"),
)
files = st.builds(
    lambda head, tail: "".join(head) + tail, st.lists(lines, max_size=8), st.sampled_from(["", "a = x", "#"])
)


@given(files, names, st.text("xyz ", max_size=4))
def test_new_value_is_read_back_and_the_others_too(text: str, name: str, value: str) -> None:
    try:
        before = settings(text)
    except ConfigError:
        return
    main = MainCf(text)
    main.set(name, value)
    assert settings(main.text) == before | {name: value.strip()}


@given(st.text("ab= #\n\0\t\udcff"), names)
def test_no_text_is_too_odd_and_lines_of_others_stay(text: str, name: str) -> None:
    main = MainCf(text)
    main.comment_out(name)
    assert main.text.replace("#", "") == text.replace("#", "")
    main.remove(name)
    main.set(name, "1")
    assert main.text.endswith(f"{name} = 1\n")


@given(files, names)
def test_effective_value_stays_when_duplicates_go(text: str, name: str) -> None:
    try:
        before = settings(text)
    except ConfigError:
        return
    main = MainCf(text)
    main.keep_last(name)
    assert settings(main.text) == before
    assert sum(line.partition("=")[0].strip() == name for line in main.text.splitlines()) <= 1


@given(st.text("ab= #\n\0\t\udcff"))
def test_without_a_change_the_text_is_the_same(text: str) -> None:
    main = MainCf(text)
    main.remove("nosuch")
    assert main.text == text
