"""Restriction lists as smtpd(8) takes them apart, and the table of all restrictions."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail.fixtures import MakeConfig

from tlsproxy.mail.access.restrictions.lists import Classes, entries, list_from_text, read_list
from tlsproxy.mail.access.restrictions.table import (
    MUST_REJECT,
    RESTRICTIONS,
    STAGES,
    Argument,
    Outside,
    Subject,
    find,
)


def test_restriction_aliases_name_restrictions_alike() -> None:
    for each in RESTRICTIONS.values():
        present = RESTRICTIONS[each.canonical]
        assert not present.alias
        assert (present.subject, present.argument, present.outside) == (each.subject, each.argument, each.outside)


def test_restriction_names_are_found_in_any_case() -> None:
    assert find("Reject_RBL_Client").argument is Argument.DOMAIN
    assert find("reject_rbl").canonical == "reject_rbl_client"
    assert find("no_such_restriction") is None


@pytest.mark.postfix
def test_restriction_table_has_the_names_of_smtpd() -> None:
    program = Path("/usr/lib/postfix/sbin/smtpd").read_bytes()
    assert [name for name in RESTRICTIONS if name.encode() + b"\0" not in program] == []


def test_stages_have_a_default_check_for_their_own_subject() -> None:
    for stage in STAGES:
        if stage.default_check:
            assert find(stage.default_check).subject in stage.known
    assert set(MUST_REJECT) <= set(RESTRICTIONS)


def test_list_items_have_places_through_references(make_config: MakeConfig) -> None:
    config = make_config(
        smtpd_client_restrictions="permit_mynetworks,\n    $more  check_client_access\n  inline:{{ a = b }, c=d}",
        more="reject_rbl_client zen.example",
    )
    words = read_list(config, "smtpd_client_restrictions").words
    assert [word.text for word in words] == [
        "permit_mynetworks",
        "reject_rbl_client",
        "zen.example",
        "check_client_access",
        "inline:{{ a = b }, c=d}",
    ]
    lines = [str(word.place).rpartition("main.cf:")[2] for word in words]
    assert lines == ["8:29", "11:8", "11:26", "9:12", "10:3"]


def test_list_items_of_a_service_have_places_in_master_cf(make_config: MakeConfig) -> None:
    config = make_config(
        "submission inet n - n - - smtpd\n  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }\n"
    )
    words = read_list(config.service("submission", "inet"), "smtpd_client_restrictions").words
    assert [(word.text, word.place.line, word.place.column) for word in words] == [
        ("permit_sasl_authenticated", 2, 36),
        ("reject", 2, 63),
    ]


def test_list_with_conditions_keeps_all_items(make_config: MakeConfig) -> None:
    config = make_config(smtpd_helo_restrictions="${mydomain?{permit_mynetworks reject}:reject} ${missing}defer")
    words = read_list(config, "smtpd_helo_restrictions").words
    assert [word.text for word in words] == ["permit_mynetworks", "reject", "defer"]
    assert all(word.place is not None for word in words)


def test_list_entries_pair_names_with_arguments(make_config: MakeConfig) -> None:
    config = make_config(smtpd_restriction_classes="strict", strict="reject")
    text = "warn_if_reject Check_Client_Access hash:/a strict STRICT hash:/b sleep 3 reject_rbl_client"
    found = list(entries(list_from_text("test", text), Classes(config), "check_sender_access"))
    assert [(each.restriction and each.restriction.name, each.argument and each.argument.text) for each in found] == [
        ("check_client_access", "hash:/a"),
        (None, None),
        (None, None),
        ("check_sender_access", "hash:/b"),
        ("sleep", "3"),
        ("reject_rbl_client", None),
    ]
    assert found[0].warn_only is not None
    assert [each.is_class for each in found] == [False, True, False, False, False, False]
    assert found[3].implied


def test_classes_without_a_value_are_reported(make_config: MakeConfig) -> None:
    classes = Classes(make_config(smtpd_restriction_classes="one, two", one="permit"))
    assert classes.undefined == ("two",)
    assert classes.get("one").words[0].text == "permit"
    assert "reject_sender_login_mismatch" in classes
    assert classes.get("Reject_Sender_Login_Mismatch") is None


@given(st.lists(st.sampled_from([*RESTRICTIONS, "hash:/x", "{unix:x, a=b}", "other", "3"]), max_size=12))
def test_list_entries_account_for_every_word(words: list[str]) -> None:
    found = list(entries(list_from_text("test", " ".join(words)), _NoClasses(), "check_helo_access"))
    count = sum(1 + (each.argument is not None and not each.implied) + (each.warn_only is not None) for each in found)
    repeated = sum(a == b == "warn_if_reject" for a, b in pairwise(words))
    dangling = bool(words) and words[-1] == "warn_if_reject"
    assert len(words) - repeated - dangling <= count <= len(words)


class _NoClasses(Classes):
    names = ()

    def __init__(self) -> None:
        pass

    def __contains__(self, name: str) -> bool:
        return False


def test_restrictions_that_ask_outside_are_marked() -> None:
    asking = {name for name, each in RESTRICTIONS.items() if each.outside is not Outside.NOTHING}
    assert {"reject_rbl_client", "check_sender_mx_access", "check_policy_service", "reject_unverified_sender"} <= asking
    assert not {"reject_unknown_client_hostname", "check_client_access", "permit_mynetworks"} & asking
    assert find("check_recipient_access").subject is Subject.RECIPIENT
