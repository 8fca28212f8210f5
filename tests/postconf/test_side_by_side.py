"""Output, messages and exit status of tlsproxy-postconf, beside the real postconf(1)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from peers.real.both_postconfs import agree, write_configuration

pytestmark = pytest.mark.postfix


def test_field_that_is_too_long_begins_a_line_of_its_own(tmp_path: Path) -> None:
    widths = range(45, 70)
    services = [f"{'s' * (width - 20)} unix - n n - - {'c' * 40} -v word -o a=b" for width in widths]
    services += [f"x{width} unix - n n - - {'c' * width} {{two words}}" for width in widths]
    services += [f"y{width} inet n - - - - {'c' * (width - 7)} -o {{ mail_name = $x $x }}" for width in widths]
    services += [f"{'é' * (width // 2)} unix - n n - - {'é' * 12}" for width in widths]
    write_configuration(tmp_path, "x = expanded\n", "".join(f"{service}\n" for service in services))
    agree(["-c", str(tmp_path), f"-F{flags}"] for flags in ("", "f", "h", "H", "x", "fh", "fx", "hx", "fhx", "fH"))


def test_contradictory_options_have_the_messages_of_postconf(tmp_path: Path) -> None:
    write_configuration(tmp_path, "", "smtp inet n - n - - smtpd\n")
    bundles = [*combinations("aAdefFhHlMnpPxX#", 2), *combinations("PedfnxX#", 3)]
    agree(["-c", str(tmp_path), f"-{''.join(bundle)}"] for bundle in bundles)


BAD_VALUES = (
    *(
        "a${",
        "a$(b",
        "$",
        "$ x",
        "${}",
        "$-",
        "${a b}",
        "${a-b}",
        "${ a.b }",
        "${\t-a}",
        "$(a{b)",
        "$(foo?{x)",
        "$(a:{)",
    ),
    *(
        "${foo?{x}y}",
        "${foo?{x}:{y}z}",
        "${foo:{x} z}",
        "${foo?{abcdefghijklmnopqrstuvwxyz} abcdefghijklmnopqrstuvwxyz}",
    ),
    *(
        "${{a} = {b}?x}",
        "${{a}b}",
        "${{a} {b}}",
        "${{a} ==}",
        "${{a}  ==  b?x}",
        "${{a} ==foo {b}?x}",
        "${{a} ==foo b}",
    ),
    *("${{a} == {b} x}", "${{a} == {a}x}", "$({a} == {b)", "$({a == {b})", "${{a} <level {1}}", "${{1.} ==level {2}}"),
    *("${{99999999999999999999} == {1}?x}", "$x y$", "${é}", "${foo é}", "${{a} é {b}}", "${{a} ==é {b}}"),
)


def test_bad_values_have_the_messages_of_postconf(tmp_path: Path) -> None:
    command_lines = []
    for index, value in enumerate(BAD_VALUES):
        directory = tmp_path / str(index)
        directory.mkdir()
        write_configuration(directory, f"foo = 1\nx = $x\nmail_name = $foo {value}\n", "")
        command_lines += [["-c", str(directory), *options] for options in (["-n"], ["-x", "mail_name"])]
    agree(command_lines)


ODD_COMMAND_LINES = (
    # Values computed from the machine, and the first mistake of several.
    *(
        "-o mydomain= -h myhostname mydomain",
        "-o myhostname=mail -h mydomain",
        "-o mydomain=${ -o inet_protocols=${ mail_name",
    ),
    *("-o inet_interfaces= -h mynetworks", "-o mynetworks_style= mynetworks", "-o inet_protocols=ipv5 mynetworks"),
    *("-o inet_protocols=IPV4 mynetworks", "-o inet_interfaces=all,localhost mynetworks", "-o inet_interfaces=ALL -n"),
    *("-o inet_interfaces=localhost,127.0.0.1 mynetworks", "-o inet_interfaces=loopback-only mynetworks"),
    # Option letters and their values.
    *("-é", "-T x -T y", "-Tx", "-C USER,,all\tservice -n", "-C user;", "-nc", "-no", "-n -- --", "-- -n", "-"),
    *("-n mail_name= extra", "-Mn", "-E", "-l -x", "-a surplus", "-A", "-aA", "-bt", "-b -b"),
    # Overrides.
    *("-o =b -n", "-o a -n", "-o a==b -o a=c a", "-o process_id=4 -n", "-o mail_name=$x -x mail_name", "-o x=1 -P"),
    # Patterns.
    *(
        "-M /",
        "-M smtp//inet/",
        "-M */*/x",
        "-M s*",
        "-F smtp/inet/nosuch",
        "-F */*/chroot smtp",
        "-P smtp/*/x nosuch/*",
    ),
)


def test_odd_command_lines_are_taken_alike(tmp_path: Path) -> None:
    write_configuration(tmp_path, "x = $y\ny = 1\n", "smtp inet n - n - - smtpd -o x=$service_name -o unused=1\n")
    lines = [["-c", str(tmp_path), *line.split(" ")] for line in ODD_COMMAND_LINES]
    lines += [
        ["-c", str(tmp_path), *line] for line in (["-T", "", "-T", "x"], ["-C", ""], [""], ["-M", ""], ["-o", ""])
    ]
    agree(lines)
    agree([["-n"], ["-h", "config_directory"], ["-M"]], {"MAIL_CONFIG": f"{tmp_path}/."})
    agree([["-n"], ["-M"], ["-d", "mail_name"]], {"MAIL_CONFIG": ""})


ODD_ARGUMENTS = (
    *("-o a=1 --o b=2", "-o {a = b", "-oo -o a=b} c", "-éo a=b {c d}", "-o { { a = b } } -vo a=$x", "-o mail_name=${"),
    *(
        "-o",
        "-o -o",
        "-o {}",
        "-o =",
        "-o {a}b",
        "-ofoo=bar",
        "-- -o a=b",
        "x -o a=b",
        "{} {x} { y z }",
        "-o a={b c} d",
    ),
    *("-o smtpd_restriction_classes=a,b -o a=x -o b=$c", "-o alias_maps=ldap:q -o q_bind=1 -o q_nosuch=2"),
    *("-o process_name=x -o service_name=$process_name", "-o virtual_maps=x -o a=$virtual_maps"),
)


def test_odd_arguments_of_services_are_taken_alike(tmp_path: Path) -> None:
    command_lines = []
    for index, arguments in enumerate(ODD_ARGUMENTS):
        directory = tmp_path / str(index)
        directory.mkdir()
        write_configuration(directory, "c = 1\n", f"s inet n - n - - smtpd {arguments}\nt unix - - n - 0 y -v\n")
        command_lines += [["-c", str(directory), option] for option in ("-M", "-Mfx", "-Ff", "-Px", "-n")]
    agree(command_lines)
