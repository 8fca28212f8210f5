"""Rules of regexp and pcre tables in which nothing can be wrong, as their text shows: they need not be compiled.

A subset of the patterns that both libraries compile, without references to groups in the value.
"""

from __future__ import annotations

import re
from functools import cache

LONGEST = 1000
"""Bytes of a rule; libraries have limits."""
_TEXT = rb"[\w @:;,=<>\"'%&~#!-]"
_ESCAPED = rb"\\[dswDSW.@/+*?()|$^\[\]{}\\-]"
_BRACKETS = rb"\[(?![:=]|\.[^\]]*\.\])\^?(?:a-z|A-Z|0-9|[\w @:;,=<>\"'%&~#!.+*?()|$])+-?\]"
_TIMES = rb"(?:[*+]\??|\?|\{(?:[0-9]{1,2},?|[01],[1-9][0-9]?)\})"


@cache
def faultless() -> re.Pattern[bytes]:
    """Return the pattern of such rules, with a value. Each part can match in one way only: the time is linear."""
    one = rb"(?:%b|%b|\.)%b?|(?<=[^\\]%b)[*+?]|\\b" % (_ESCAPED, _BRACKETS, _TIMES, _TEXT)
    several = rb"(?=[^*+?{|()$/])%b*(?:(?:%b)%b*)*"
    inner = several % (_TEXT, one, _TEXT)
    group = rb"\(%b(?:\|%b)*\)[*+?]?" % (inner, inner)
    outer = rb"\^?(?=[^*+?{|)$/])%b*(?:(?:%b|%b)%b*)*\$?" % (_TEXT, one, group, _TEXT)
    return re.compile(rb"/%b(?:\|%b)*/i?[ \t]+[^\s$\0][^$\0]*" % (outer, outer))
