"""Generator of the modules in maps/native from C declarations.

    python tools/make_bindings.py maps/native

cffi can parse declarations when a program starts, but its parser takes longer than reading a table of 1,000 rules.
The modules hold the parsed form for `_cffi_backend`; no compiler is needed, here or there (cffi's "out-of-line ABI
mode"). The declarations are those of pcre2api(3) and regex(3).
"""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

DECLARATIONS = {
    "pcre2_abi": """
        typedef struct code pcre2_code;
        typedef struct match_data pcre2_match_data;
        typedef struct match_context pcre2_match_context;
        pcre2_code *pcre2_compile_8(const char *, size_t, uint32_t, int *, size_t *, void *);
        int pcre2_jit_compile_8(pcre2_code *, uint32_t);
        int pcre2_pattern_info_8(const pcre2_code *, uint32_t, void *);
        pcre2_match_data *pcre2_match_data_create_8(uint32_t, void *);
        pcre2_match_context *pcre2_match_context_create_8(void *);
        int pcre2_set_match_limit_8(pcre2_match_context *, uint32_t);
        int pcre2_match_8(const pcre2_code *, const char *, size_t, size_t, uint32_t, pcre2_match_data *,
                          pcre2_match_context *);
        size_t *pcre2_get_ovector_pointer_8(pcre2_match_data *);
        int pcre2_get_error_message_8(int, char *, size_t);
        void pcre2_match_data_free_8(pcre2_match_data *);
        void pcre2_code_free_8(pcre2_code *);
    """,
    "regex_abi": """
        typedef struct {
            void *buffer; unsigned long allocated, used, syntax; char *fastmap; unsigned char *translate;
            size_t re_nsub; unsigned long bits[4];
        } regex_t;
        typedef struct { int rm_so, rm_eo; } regmatch_t;
        int regcomp(regex_t *, const char *, int);
        int regexec(const regex_t *, const char *, size_t, regmatch_t *, int);
        size_t regerror(int, const regex_t *, char *, size_t);
        void regfree(regex_t *);
        void *newlocale(int, const char *, void *);
        void *uselocale(void *);
    """,
}


def main() -> None:
    """Write all modules."""
    directory = Path(sys.argv[1])
    for name, declarations in DECLARATIONS.items():
        builder = FFI()
        builder.cdef(declarations)
        builder.set_source(name, None)
        builder.emit_python_code(str(directory / f"{name}.py"))


if __name__ == "__main__":
    main()
