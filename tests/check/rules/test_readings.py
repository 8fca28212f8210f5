"""Bad words are reported once, where they are written, and as severely as the programs that read them deserve."""

from __future__ import annotations

from check.examples import run
from hypothesis import given
from hypothesis import strategies as st

from tlsproxy.check.findings import Finding, Severity
from tlsproxy.check.rule import Rule, all_rules
from tlsproxy.check.rules.parameters.kinds import KindRule

RULES: list[Rule] = [rule for rule in all_rules() if isinstance(rule, KindRule)]
SERVICES = "--- master.cf\nsmtp inet n - y - - smtpd\n"


def found(example: str) -> list[Finding]:
    """Return the findings of the rules on kinds."""
    return run(example, RULES, None, "3.7").findings


def marked(example: str) -> list[tuple[str, int, str]]:
    """File, line and text of each finding."""
    main, _, master = example.partition("--- master.cf\n")
    lines = {"main.cf": main.split("\n"), "master.cf": master.split("\n")}
    return [
        (each.span.path, each.span.line, lines[each.span.path][each.span.line - 1][each.span.column - 1 :])
        for each in found(example)
    ]


def test_word_in_a_continued_line_is_marked_there() -> None:
    assert marked("notify_classes = resource,\n# why not\n  sofware\n") == [("main.cf", 3, "sofware")]


def test_word_behind_a_reference_is_marked_at_its_own_place() -> None:
    example = "mine = 192.0.2.0/24\nmynetworks = $mine, ${mine}, 10.0.0.1/8\n"
    assert marked(example) == [("main.cf", 2, "10.0.0.1/8")]


def test_word_that_a_reference_brings_is_marked_in_its_setting() -> None:
    example = "mine = 127.0.0.0/8,\n  10.0.0.1/8\nnetworks = ${mine}\nmynetworks = $networks\n"
    assert marked(example) == [("main.cf", 2, "10.0.0.1/8")]
    assert [span.line for span, _ in found(example)[0].related] == [4]


def test_word_that_two_parameters_refer_to_is_reported_once() -> None:
    example = "mine = 10.0.0.1/8\nmynetworks = $mine\nsmtpd_authorized_xclient_hosts = $mine\n"
    assert marked(example) == [("main.cf", 1, "10.0.0.1/8")]


def test_word_in_a_condition_marks_the_condition() -> None:
    example = "x = yes\nmynetworks = 127.0.0.1 ${x?{10.0.0.1/8}:{10.0.0.0/8}}\n"
    assert marked(example) == [("main.cf", 2, "${x?{10.0.0.1/8}:{10.0.0.0/8}}")]


def test_word_behind_a_doubled_dollar_is_marked() -> None:
    assert marked("smtpd_forbidden_commands = GET$$ etc/x\n") == [("main.cf", 1, "etc/x")]


def test_option_of_a_service_is_marked_in_each_notation() -> None:
    example = (
        f"{SERVICES}  -o mynetworks=10.0.0.1/8\n  -o {{ notify_classes = resource,\n    sofware }}\n"
        "  -o smtpd_milters=$milters -o milters=tcp:x:1\n"
    )
    assert marked(example) == [
        ("master.cf", 2, "10.0.0.1/8"),
        ("master.cf", 4, "sofware }"),
        ("master.cf", 5, "tcp:x:1"),
    ]


def test_value_that_nothing_reads_is_a_warning() -> None:
    [finding] = found("smtpd_sasl_type = dovcot\n")
    assert finding.severity is Severity.WARNING
    assert "nothing reads it without smtpd_sasl_auth_enable = yes" in finding.message


def test_value_that_one_service_reads_is_an_error() -> None:
    [finding] = found(f"smtpd_sasl_type = dovcot\n{SERVICES}  -o smtpd_sasl_auth_enable=yes\n")
    assert finding.severity is Severity.ERROR


def test_value_of_a_program_that_does_not_run_is_a_warning() -> None:
    [finding] = found(f"postscreen_greet_action = enforced\n{SERVICES}")
    assert finding.severity is Severity.WARNING
    assert finding.message.endswith("no service runs postscreen")
    assert found("postscreen_greet_action = enforced\n")[0].severity is Severity.ERROR


def test_option_that_a_program_does_not_have_is_a_warning() -> None:
    [finding] = found(f"{SERVICES}  -o smtp_bind_address=nowhere\n")
    assert finding.severity is Severity.WARNING
    assert finding.message.endswith("smtpd(8) does not read it")


def test_parameter_of_a_service_is_read_if_the_service_exists() -> None:
    example = "slow_destination_rate_delay = 10y\n--- master.cf\nslow unix - - y - - smtp\nqmgr unix n - n 300 1 qmgr\n"
    assert marked(example) == [("main.cf", 1, "10y")]
    assert "slow_destination_rate_delay" in found(example)[0].message
    assert found(example.replace("slow unix", "fast unix")) == []


def test_class_of_restrictions_is_read() -> None:
    example = "smtpd_restriction_classes = mine\nmine = check_policy_service { unix:x\n"
    assert marked(example) == [("main.cf", 2, "{ unix:x")]


def test_value_with_a_comment_behind_it_is_left_to_its_rule() -> None:
    assert found("mynetworks = 127.0.0.1 # 10.0.0.1/8\n") == []


@given(st.text(alphabet="$x{}() /1.:[!\n,", max_size=30), st.text(alphabet="$y{}()/1.:[!,", max_size=20))
def test_any_references_are_followed_to_a_place_in_the_file(value: str, other: str) -> None:
    example = f"x = {other}\ny = 10.0.0.1/8\nmynetworks = {value}\nrelayhost = {value}\n"
    for finding in found(example):
        assert finding.span.line in range(1, example.count("\n") + 1)
