"""Tables that are not indexed, side by side with the real postmap(1): values, warnings and errors to the letter."""

from __future__ import annotations

import ipaddress
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from peers.real.postmap import Postmap
from peers.real.queries import OPTIONS, ours, real

from postconf.syntax.lines import encode

pytestmark = pytest.mark.postfix

KEYS = [b"a", b"A", b"b", "É".encode(), "é".encode(), b"\xff", b"", b'"a b"', b"a\\ b", b"root", b"ROOT", b"PATH", b"l"]

SPECS = [
    *("static:x", "static:{ a b }", "static:{}", "static:{a", "static:{a}b", "static:k1", "static:{k1, k2}"),
    *("static:{ , }", "static:nosuch", "static:{k1 nosuch}", "static:é", "static:.", "static:\udcff"),
    "inline:{a=1, {B = two words}, É=e, {c = {x y}}, a=2}",
    *("inline:{a=k1}", "inline:{a=nosuch}", "inline:{}", "inline:{ }", "inline:{{}}", "inline:{a}", "inline:{a=1}x"),
    *("inline:x", "inline:{a=", "inline:{=x}", "inline:{{a=1}x}", "inline:{a=\udcff}", "inline:{a=}", "inline:{{a}=1}"),
    *('inline:{{"a b"=1} {a\\ b=2} "q=1}', 'inline:{{"a b"=1} {a\\ b=2} {a\\=3}}', "inline:{a\\=1}"),
    "inline:{{a\\}=1}",
    *("randmap:{only}", "randmap:{{only one}}", "randmap:{}", "randmap:x", "randmap:{k1}", "randmap:{nosuch}"),
    *("unionmap:{static:a, static:{}}", "unionmap:{static:{}, static:a}", "unionmap:{static:{}}"),
    *("unionmap:{inline:{a=1 É=2}, inline:{a=3}}", "unionmap:{inline:{a=1}, fail:x}", "unionmap:{nosuch:x}"),
    *("unionmap:{inline:{a=1}, nocolon}", "unionmap:{:x}", "unionmap:{}", "unionmap:{static:a}x"),
    *("unionmap:{regexp:{{/^A/i r}}, inline:{a=1}}", "unionmap:{inline:{a=1}, regexp:{{/^A/i r}}}"),
    *("pipemap:{inline:{a=B É=x}, inline:{b=c x=É}}", "pipemap:{inline:{a=}, static:x}", "pipemap:{}"),
    *("pipemap:{inline:{a=1}, fail:x}", "pipemap:{regexp:{{/(.*)/ $1}}, inline:{a=1 é=2}}", "pipemap:{static:x"),
    *("fail:x", "internal:x", "environ:x", "unix:passwd.byname", "unix:group.byname", "unix:nosuch", "nosuch:x"),
    *("texthash:source", "texthash:nosuch", "texthash:.", "regexp:.", "cidr:.", "pcre:."),
    *("regexp:nosuch", "pcre:nosuch", "cidr:nosuch", "regexp:{", "pcre:{/a/}", "cidr:{{1.2.3.4} x}", "regexp:{}"),
]

SOURCE = """\
  stray
a k1
É e
"a b" k1, k2
A k2
b
"c d
c: x
\udcff x
e\0f g
f nosuch
l first
# comment
  second
   # indented comment
\tthird
"""


PATTERNS = {
    "negation": "!/a/ not a\n! !/a/ a\n!!!/z/i no z\n!\n! \n!xax letter\n",
    "two patterns": "/a/!/b/ a, no b\n/(a)(.)/i!/c/m $2-$1\n/b/!//\n/b/!\n/b/!/(/ x\n/(/!/b/ x\n/b/i!!/c/ bc\n"
    "/b/ !/c/ text\n",
    "delimiters": "\\a\\ x\n/a\\/ x\n/a\\\n/a\\b\\\n/a\\\\/ x\n|a|b|c\n"
    ',a,\ti\n"a" q\n/a\n//empty\n//  empty\n{a{ x\né(a)é $1\n',
    "flags": "/a/q x\n/A/i x\n/a/ii y\n/a/ximximxim z\n/^b$/m $$\n/a/X x\n/a/iX! x\n/a/sAEU x\n/a.c/s x\n"
    "/a+b/U x\n/a/\xff x\n",
    "dollars": "/(a)(b)?/ $1x\n/(a)(b)?/ ${1}x$(2)y\n/(c)/ $$$1$$\n/(d)/ $$1\n/e/ $\n/e/ a$ b\n/e/ ${}\n/e/ $()\n"
    "/e/ ${1\n"
    "/e/ $(1}\n/e/ ${(1)}\n/e/ ${{1}}\n/e/ $x $y ${z} $(w)\n/e/ $x ${\n/e/ $0 $00\n/(f)/ $01\n/(g)/ $2\n"
    "/(h)/ $1 $x\n/(i)/ ${ 1 }\n"
    "/(j)/ $99999999999\n/(j)/ $4294967296\n/(j)/ $4294967297\n/(j)/ $2147483649\n"
    "/(j)/ $99999999999999999999\n/(k)/ $1$é\n/(l)/ a$1_$\n/(l)/ $1.$1,$1-\n",
    "negative numbers": "!/(a)/ $1\n!/(a)/ $x\n!/(a)/ $$x\n!/(a)/ $$\n",
    "if": "if /a/\n/b/ ab\nendif\nif !/a/\n/b/ b\nif /c/\n/./ c\nENDIF\nEndif x\nendif\n/./ rest\n",
    "if without end": "if /a/\n/b/ ab\n  if /c/\nif/x/\n/y/ xy\n",
    "true if without end": "/z/ z\nif /./\n/b/ b\n",
    "end without if": "endif\nendif x\nendif\\\n/a/ a\nif /a/\nendif\nendif\n",
    "broken if": "if /(/\n/a/ in\nendif\nif /b/\nif\nif !\nif /x\nif /x/q\n/c/ bc\nendif\n/c/ c\nendif\n"
    "if /d/ text /x/\n/d/ d\nendif\n",
    "words": "ifx\nif\nIF/a/\n/b/ x\nendif/\nendifx\n1\nfoo bar\nif! /a/\n/c/ c\nendif!\nif!/a/!/b/\nendif\n",
    "lines": "  /a/ stray\n/a/ one\n  two \t three  \n#c\n\n\tfour\n/b/\n  continued pattern\n/c d/ x\r\n"
    "/e/ a\0b\n/f\0/ x\n/g/ no newline",
    "library errors": "/a**/ x\n/[/ x\n/[z-a]/ x\n/a{2,1}/ x\n/a{99999}/ x\n/*a/ x\n/a|*b/ x\n/(?<n>a)\\1/ x\n/\\/ x\n"
    "/[[:foo:]]/ x\n"
    "/(?P<a/ x\n/\\1/ x\n/(a)\\2/ x\n/)/ x\n/(/ x\n/a\\/\n/x{,2}/ x\n/[[.a.]]/ x\n/[[=a=]]/ x\n/(?i/ x\n"
    "/\\g{9}/ x\n/\\p{Lu}/ x\n/\\U/ x\n",
    "bytes": "/^(.)/ $1\n",
    "characters": "/(*UTF)^(.)É/ $1\n/^É/ big\n/^é/ small\n/[é]/ x\n/\\w\\w$/ w\n",
    "catastrophe": "/^(a+)+$/ all a\n!/^(a|aa)+$/ not\n/^(([a-z])+.)+[A-Z]([a-z])+$/ x\n/a/ end\n",
    "recursion": "/^(\\((?:[^()]|(?1))*\\))$/ $1\n/(a)\\1/ $1\n/(?=(b))/ $1\n/a\\Kb/ x\n/(?|(c)|(d))/ $1\n"
    "/(e)|(f)/ $1,$2\n",
    "empty": "",
    "only NUL": "\0/a/ x\n",
    "values": "/a/ \n/b/\n/c/ $$\n",
    "words that are not ascii": "İf /a/\n/é/ x\nENDİF\nif\xa0/a/\n",
}
PATTERN_KEYS = [
    *(
        b"a",
        b"b",
        b"ab",
        b"A",
        b"abc",
        b"c",
        b"cd",
        b"d",
        b"e",
        b"f",
        b"g",
        b"h",
        b"i",
        b"j",
        b"k",
        b"l",
        b"z",
        b"ac",
        b"bc",
    ),
    *(
        b"",
        b"c d",
        b"aa",
        b"a\\",
        b"a/",
        b"\\",
        b"x",
        b"xy",
        b"(())",
        b"a\tb",
        b"1",
        b"ef",
        b"fe",
        b"aab",
        b"n" * 3000 + b"a",
    ),
    *("É".encode(), "é".encode(), "aÉ".encode(), b"\xff", b"a" * 26 + b"!", b"a" * 5000, b"bb", b"ccontinued pattern"),
    b"b  continued pattern",
]


@pytest.mark.parametrize("kind", ["regexp", "pcre"])
def test_patterns_answer_as_postfix_does(tables: Postmap, kind: str) -> None:
    for name, text in PATTERNS.items():
        (tables.directory / name).write_bytes(encode(text))
    specs = [f"{kind}:{name}" for name in PATTERNS]
    compare(tables, specs, PATTERN_KEYS)
    compare(tables, specs, PATTERN_KEYS, "-u")
    for name in PATTERNS:
        compare(tables, [f"{kind}:{name}"], PATTERN_KEYS, "-F")


NETWORKS = {
    "forms": "10.0.0.0/8 a\n[192.0.2.1] b\n[192.0.2.0/25] c\n[192.0.2.0]/24 d\n2001:db8::/32 e\n[::1] f\n"
    "[fe80::]/10 g\n0.0.0.0/0 rest\n::/0 rest6\n",
    "host bits": "10.1.0.0/8 a\n10.0.0.1/31 a\n10.0.0.1/0 a\n2001:DB8::1/32 b\n::1/127 c\n::ffff:10.0.0.1/104 d\n"
    "[1.2.3.4/24] e\n[1.2.3.4]/24 f\n1.2.3.4/00008 x\n",
    "masks": "10.0.0.0/33 a\n10.0.0.0/x b\n10.0.0.0/ c\n10.0.0.0/-1 d\n10.0.0.0/8/8 e\n10.0.0.0/256 f\n"
    "10.0.0.0/264 g\n10.0.0.0/287 h\n"
    "10.0.0.0/4294967304 i\n10.0.0.0/99999999999999999999 j\n10.0.0.0/08 k\n::/129 l\n::/+1 m\n::/ 1 n\n"
    "10.0.0.0/8\xb2 o\n",
    "addresses": "10.1 a\n010.0.0.1 b\n10.0.0.1. c\n1.2.3 d\nfoo e\n[10.0.0.1 f\n[10.0.0.1]x g\n[] h\n[]/8 i\n/8 j\n"
    "[/8] k\n:: l\n::1%lo m\n1:2:3:4:5:6:7:8 n\n1::2::3 o\n"
    "[10.0.0.1]/ p\n[10.0.0.0/8]/8 q\n10.0.0.1] r\n[[10.0.0.1]] s\né t\n\xff u\n0x0a.0.0.1 v\n",
    "negation": "!10.0.0.0/8 not ten\n! !10.0.0.0/9 low\n!\n! \n!! 2001:db8::/32 e\n!::/1 high\n",
    "values": "10.0.0.1\n10.0.0.2 \n10.0.0.3\tx  y \n10.0.0.4 # no comment\n10.0.0.5 é\n10.0.0.6 \xff\n10.0.0.7 $1\n",
    "if": "if 10.0.0.0/8\nif !10.0.0.0/9\n10.0.0.0/8 high\nendif\n!10.0.0.1 low\nENDIF\nif !2001:db8::/32\n"
    "::/0 other\nendif\n10.0.0.1 one\n",
    "families": "if !10.0.0.0/8\n::/0 six\n0.0.0.0/0 four\nendif\nif ::/0\n0.0.0.0/0 no\n::/0 yes\nendif\n"
    "0.0.0.0/0 rest\n",
    "if without end": "10.0.0.2 two\nif 10.0.0.0/30\n10.0.0.1 one\nif !::/0\n",
    "end without if": "endif\nendif x\n10.0.0.1 a\nif 10.0.0.0/8\nendif x\n10.0.0.2 b\nendif\nendif\n",
    "broken if": "if\nif !\nif 10.0.0.0/8 x\n10.0.0.1 in\nendif\nif 10.0.0.0/33\nifx 1\nif10.0.0.0/8 a\nendifx\n"
    "endif 1\n",
    "if with a bracket": "if[10.0.0.0/8]\n10.0.0.1 a\nendif\nif!10.0.0.0/8\n::/0 b\nendif\n",
    "lines": "  10.0.0.1 stray\n10.0.0.1\n  continued\n10.0.0.2 a\n  b\r\n#c\n\t10.0.0.3 c\n10.0.0.4 a\0b\n"
    "10.0.0.5\0 x\n10.0.0.6 end",
    "spaces": "10.0.0.1\xa0x y\n10.0.0.2\x1fx y\n10.0.0.3\x0bx y\n10.0.0.4\u2003x y\n",
}
NETWORK_KEYS = [
    *(f"10.0.0.{number}".encode() for number in range(9)),
    *(b"192.0.2.1", b"192.0.2.2", b"192.0.2.200", b"10.200.0.0", b"11.0.0.0", b"0.0.0.0", b"255.255.255.255"),
    *(
        b"2001:db8::1",
        b"2001:DB8::0:1",
        b"::1",
        b"fe80::1",
        b"::ffff:10.0.0.1",
        b"::",
        b"ffff::",
        b"1:2:3:4:5:6:7:8",
        b"fe80::1%lo",
    ),
    *(
        b"",
        b"foo",
        b"10.0.0",
        b"010.0.0.1",
        b"[10.0.0.1]",
        b"10.0.0.1 ",
        b" 10.0.0.1",
        b":",
        b"10.0.0.1/32",
        "é".encode(),
        b"\xff",
    ),
]


def test_networks_answer_as_postfix_does(tables: Postmap) -> None:
    (tables.directory / "x").write_bytes(b"X")
    for name, text in NETWORKS.items():
        (tables.directory / name).write_bytes(encode(text))
    for option in OPTIONS:
        compare(tables, [f"cidr:{name}" for name in NETWORKS], NETWORK_KEYS, option)


def test_many_networks_answer_as_postfix_does(tables: Postmap) -> None:
    chance = random.Random(5)
    rules = []
    depth = 0
    for number in range(3000):
        bits = chance.choice([8, 12, 16, 20, 24, 30, 32])
        network = (10 << 24 | chance.getrandbits(24)) >> (32 - bits) << (32 - bits)
        negated = chance.choice(["!", *[""] * 60]) if bits == 8 else ""
        rule = f"{negated}{ipaddress.ip_address(network)}/{bits}"
        if chance.random() < 0.01:
            rules.append(f"if {rule}")
            depth += 1
        elif chance.random() < 0.01 and depth:
            rules.append("endif")
            depth -= 1
        elif bits > 12 or chance.random() < 0.01:
            rules.append(f"{rule} {number}")
    rules.extend(["endif"] * depth)
    (tables.directory / "many").write_text("\n".join(rules))
    keys = [str(ipaddress.ip_address(10 << 24 | chance.getrandbits(24))).encode() for _ in range(5000)]
    assert real(tables, "cidr:many", keys).output
    compare(tables, ["cidr:many"], keys)


IN_PLACE = [
    "{}",
    "{ }",
    "{ , }",
    "{{}}",
    "{{ }}",
    "{{/a/ b}}",
    "{ { /a/ b } , {/b/ c} }",
    "{{/a{1}/ b}}",
    "{{/a/ {b}}}",
    "{{/a/ ${1}}}",
    "{{/(a)/ ${1}}}",
    "{{/a}/ b}}",
    "{{/a/ b}x}",
    "{/a/ b}",
    "{{/a/ b}}x",
    "{{/a/ b}",
    "{{/a/ b",
    "{",
    "{x {/a/ b}}",
    "{{/a/ b} x}",
    "{{if /a/}{/b/ c}{endif}}",
    "{{if /a/} {/b/ c} {endif} {endif}}",
    "{{if /a/}}",
    "{{# comment} {/a/ b}}",
    "{{#\n  x} {/a/ b}}",
    "{{/a/ b\n c}}",
    "{{/a/ b\n/b/ c} {/q}}",
    "{{10.0.0.0/8 a}}",
    "{{10.0.0.1/8 a} {!10.0.0.0/9 b}}",
    "{{if !10.0.0.0/9} {::/0 b}}",
    "{{  \t10.0.0.1\tx\n}}",
    "{{/\\}/ b}}",
    "{\n{/a/ b}\r\n}",
    "{\v{/a/ b}}",
]


def test_tables_in_their_names_answer_as_postfix_does(tables: Postmap) -> None:
    specs = [f"{kind}:{text}" for kind in ("regexp", "pcre", "cidr") for text in IN_PLACE]
    compare(tables, specs, [b"a", b"b", b"ab", b"10.0.0.1", b"10.200.0.1", b"::1", b"}", b""])


@pytest.mark.parametrize("option", OPTIONS)
def test_all_types_answer_as_postfix_does(tables: Postmap, option: str) -> None:
    (tables.directory / "k1").write_bytes(b"KEY\n")
    (tables.directory / "k2").write_bytes(b"CERT\0x")
    (tables.directory / "source").write_bytes(encode(SOURCE))
    os.utime(tables.directory / "source", (0, 1_000_000_000))  # a recent file is read until it is older
    compare(tables, SPECS, KEYS, option)


def compare(tables: Postmap, specs: list[str], keys: list[bytes], option: str = "") -> None:
    with ThreadPoolExecutor(16) as pool:  # the command sleeps for a second after a fatal error
        answers = pool.map(lambda spec: real(tables, spec, keys, option), specs)
        expected = dict(zip(specs, answers, strict=True))
    assert {spec: ours(tables, spec, keys, option) for spec in specs} == expected
