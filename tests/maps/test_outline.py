"""Outlines against the libraries themselves: they match all that the patterns match, and know the steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.cases.pattern_texts import KEYS, REPEATS, patterns

from maps.drivers.patterns import pcre, regexp
from maps.text.outline import LENGTHS, STEPS, Outline, outline
from maps.text.patterns import Compiled, Engine, MatchError, PatternError, Syntax
from maps.text.pcre2 import PerlPattern, Screen

ENGINES = {"pcre": pcre.ENGINE, "regexp": regexp.ENGINE}
BYTES = [bytes([byte]) for byte in range(1, 256)]


@pytest.fixture(autouse=True, scope="module")
def c_locale() -> Iterator[None]:
    before = regexp.uselocale(regexp.C_LOCALE)
    yield
    regexp.uselocale(before)


def compiled(engine: Engine, pattern: bytes, options: int) -> Compiled | None:
    try:
        return engine.compile(pattern, options, True)
    except PatternError:
        return None


def outlined(engine: Engine, pattern: bytes, options: int) -> Outline | None:
    syntax = engine.syntax(options)
    return syntax and outline(pattern, syntax)


def flags(kind: str) -> st.SearchStrategy[int]:
    return st.sets(st.sampled_from(sorted(ENGINES[kind].flags.values()))).map(sum)


@pytest.mark.parametrize("kind", ENGINES)
def test_outline_passes_all_matches_of_its_pattern(kind: str) -> None:
    """Patterns and keys have an end in common: of those by chance alone, hardly one has an outline and a match."""
    engine = ENGINES[kind]
    keys = st.tuples(KEYS, st.sampled_from([b"ab", b"AB", b"abc", b""])).map(b"".join)
    matches = 0

    @given(patterns(kind).map(lambda pattern: pattern + b"ab"), flags(kind), st.lists(keys, min_size=1, max_size=8))
    def compare(pattern: bytes, changed: int, keys: list[bytes]) -> None:
        nonlocal matches
        options = engine.default ^ changed
        rule, found = compiled(engine, pattern, options), outlined(engine, pattern, options)
        if rule is None or found is None:
            return
        screen = Screen(found.text, found.longest, 1)
        for key in keys:
            if rule.match(key, 0) is not None:
                assert screen.passes(key), (pattern, found.text, key)
                matches += 1

    compare()
    assert matches > 5


MEMBERS = ["a", "Z", "A-C", "a-c", "+-Z", "0-_", "^-b", "Z-a", "[:upper:]", "[:lower:]", "[:punct:]", "[:space:]", "é"]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("negated", ["", "^"])
def test_bracket_expression_means_the_same_bytes(kind: str, ignore_case: bool, negated: str) -> None:
    engine = ENGINES[kind]
    options = engine.default if ignore_case else engine.default ^ engine.flags[ord("i")]
    checked = 0
    for members in product(MEMBERS, repeat=2):
        pattern = f"[{negated}{''.join(members)}]".encode()
        rule, found = compiled(engine, pattern, options), outlined(engine, pattern, options)
        if rule is not None and found is not None:
            screen = Screen(found.text, found.longest, 1)
            assert [byte for byte in BYTES if screen.passes(byte)] == [
                byte for byte in BYTES if rule.match(byte, 0) is not None
            ], pattern
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("pattern", [rb"\w", rb"\W", rb"\s", rb"\S", b"[[:alnum:]]", b"[[:cntrl:]]", b"[^[:graph:]]"])
def test_set_means_the_same_bytes(kind: str, pattern: bytes) -> None:
    engine = ENGINES[kind]
    rule, found = compiled(engine, pattern, engine.default), outlined(engine, pattern, engine.default)
    assert rule and found
    screen = Screen(found.text, found.longest, 1)
    assert all(screen.passes(byte) == (rule.match(byte, 0) is not None) for byte in BYTES)


PUBLISHED = [
    rb"^[a-z]*[0-9]+-[0-9]+-[0-9]+-[0-9]+\.dynamic\.example\.(com|net)$",
    rb"^([0-9]{1,3}[.-]){4}(dsl|pool)\.[^.]+\.example\.net$",
    rb"^(.*)\.(adsl|dyn)\.example\.org$",
    rb"^Subject:.*\b(cheap|free) (pills|money)",
    rb"^(?!.*good).*bad$",
    rb"^(user|User)[0-9]{3,}@example\.com$",
    rb"filename=\"?[^\"]*\.(exe|scr|pif)\"?",
]


@pytest.mark.parametrize("pattern", PUBLISHED)
def test_pattern_as_published_has_an_outline(pattern: bytes) -> None:
    found = outline(pattern, Syntax(perl=True, ignore_case=True, multiline=False))
    assert found and found.longest >= 250


@pytest.mark.parametrize(
    "pattern", [b"(a+)+$", b"(a|aa)+$", b"(a*)*b", b"(.*)(.*)(.*)(.*)(.*)x", b"(a|b|ab)*c", b"(a?){30}b", b"(.*,){11}P"]
)
def test_pattern_with_long_searches_has_no_outline(pattern: bytes) -> None:
    assert outline(pattern, Syntax(perl=True, ignore_case=True, multiline=False)) is None


@pytest.mark.parametrize("pattern", [b"", b"a*", b"^", b"(a|)", b"(?=a)", b"^(?!b)", b".*"])
def test_pattern_that_matches_every_key_has_no_outline(pattern: bytes) -> None:
    assert outline(pattern, Syntax(perl=True, ignore_case=False, multiline=False)) is None


SLOW_ATOMS = ["a", "b", "ab", ".", "[ab]", "[^b]", "(a)", "(a|b)", "(ab|a)", "(?:b|ab)", "(a+b)", "(a*)", "(?=a+)", "c"]


@given(
    st.lists(st.tuples(st.sampled_from(SLOW_ATOMS), st.sampled_from(REPEATS)).map("".join), min_size=1, max_size=6),
    st.sampled_from(["", "$", "c", "^c"]),
    st.sampled_from(["a", "ab", "aab", "b"]),
)
def test_outlined_search_is_never_longer_than_computed(parts: list[str], end: str, repeated: str) -> None:
    """PCRE2 is given the computed number of steps as its limit, and keys that make it go back."""
    pattern = ("".join(parts) + end).encode()
    rule = compiled(pcre.ENGINE, pattern, pcre.ENGINE.default)
    found = outlined(pcre.ENGINE, pattern, pcre.ENGINE.default)
    if rule is None or found is None:
        return
    limited = PerlPattern(b"(*LIMIT_MATCH=%d)" % STEPS + pattern, pcre.ENGINE.default, False)
    for length in (20, min(found.longest, LENGTHS[-1])):
        key = (repeated * length)[:length].encode()
        for tried in (key, key + b"x", key + b"\n"):
            if len(tried) <= found.longest:
                assert (limited.match(tried, 0) is None) == (rule.match(tried, 0) is None)


def test_computed_number_of_steps_is_not_far_off() -> None:
    """A limit that is only somewhat lower is reached."""
    pattern, key = b"a.*b.*c.*[de]", b"abc" * 80
    found = outlined(pcre.ENGINE, pattern, pcre.ENGINE.default)
    assert found and found.longest < 4000
    limited = PerlPattern(b"(*LIMIT_MATCH=%d)" % (STEPS // 1000) + pattern, pcre.ENGINE.default, False)
    with pytest.raises(MatchError):
        limited.match(key, 0)
