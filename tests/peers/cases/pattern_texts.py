"""Random regular expressions and keys: common ones, odd ones, and some that do not compile."""

from __future__ import annotations

from hypothesis import strategies as st

_COMMON = [*"abAB0-_ .^$|()é", r"\.", r"\w", r"\W", r"\b", "[ab]", "[^a]", "[[:upper:]]", "[A-z]", "[+-Z]", "[]a]"]
ATOMS = {
    "pcre": [
        *(*_COMMON, r"\d", r"\A", r"\Z", r"\z", "(?:", "(?=a)", "(?!b)", r"[\w.-]", r"[^\s]", r"[]\]]", "[^]a]", r"\1"),
        *("(?i)", r"\Qa", "\n"),
    ],
    "regexp": [
        *(*_COMMON, r"\<", r"\`", r"\'", "[^+-Z]", r"[\w]", r"[\]", "[^]-a]", r"\1", "[[=a=]]", "[[.-.]]", "{", "\n"),
    ],
}
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "++"]


def patterns(kind: str) -> st.SearchStrategy[bytes]:
    atoms = st.tuples(st.sampled_from(ATOMS[kind]), st.sampled_from(REPEATS)).map("".join)
    plain = st.lists(atoms, max_size=7).map("".join)
    grouped = st.tuples(plain, plain, plain).map(lambda parts: f"{parts[0]}({parts[1]}){parts[2]}")
    return st.one_of(plain, grouped).map(str.encode)


KEYS = st.lists(st.sampled_from([*"abABzZ0-_ .]\\^\n", "é"]), max_size=9).map(lambda parts: "".join(parts).encode())
