"""Completion scripts for bash, zsh and fish, made from a command's options."""

from __future__ import annotations

from .options import SHELLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import Option

_FILES = "FILE"


def script(shell: str, program: str, options: Sequence[Option], operands: str | Sequence[str] = "") -> str:
    """Return the script for a shell.

    `operands`: possible operands; or FILE; or "", for none. Raise `ValueError` for an unsupported shell.
    """
    if shell not in SHELLS:
        raise ValueError(f"no completion for {shell}; there is one for {', '.join(SHELLS)}")
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](program, options, operands)


def _bash(program: str, options: Sequence[Option], operands: str | Sequence[str]) -> str:
    function = "_" + program.replace("-", "_")
    cases = [
        f"        {'|'.join(option.names)}) COMPREPLY=({_bash_words(option)}); return ;;"
        for option in options
        if option.value
    ]
    names = " ".join(name for option in options for name in option.names)
    other = _compgen("-f") if operands == _FILES else _compgen(f'-W "{" ".join(operands)}"') if operands else ""
    return "\n".join(
        [
            f"{function}() {{",
            "    local current=${COMP_WORDS[COMP_CWORD]}",
            "    case ${COMP_WORDS[COMP_CWORD-1]} in",
            *cases,
            "    esac",
            "    case $current in",
            f"        -*) COMPREPLY=({_compgen(f'-W {chr(34)}{names}{chr(34)}')}) ;;",
            f"        *) COMPREPLY=({other}) ;;",
            "    esac",
            "}",
            f"complete -F {function} {program}",
            "",
        ]
    )


def _bash_words(option: Option) -> str:
    if option.choices:
        return _compgen(f'-W "{" ".join(option.choices)}"')
    return _compgen("-d") if option.is_directory else _compgen("-f") if option.is_file else ""


def _compgen(action: str) -> str:
    return f'$(compgen {action} -- "$current")'


def _zsh(program: str, options: Sequence[Option], operands: str | Sequence[str]) -> str:
    lines = [f"#compdef {program}"]
    arguments = []
    for option in options:
        text = option.help.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]")
        value = f":{option.value.replace(':', ' ')}:{_zsh_values(option)}" if option.value else ""
        arguments += [f"'{name}[{text}]{value}'" for name in option.names]
    if operands == _FILES:
        arguments.append("'*:file:_files'")
    elif operands:
        lines.append(f"local -a names=({' '.join(operands)})")
        arguments.append("'*:name:compadd -a names'")
    return "\n".join([*lines, " \\\n    ".join(["_arguments -S", *arguments]), ""])


def _zsh_values(option: Option) -> str:
    if option.choices:
        return f"({' '.join(option.choices)})"
    return "_files -/" if option.is_directory else "_files" if option.is_file else ""


def _fish(program: str, options: Sequence[Option], operands: str | Sequence[str]) -> str:
    lines = []
    if operands != _FILES:
        lines.append(f'complete -c {program} -f -a "{" ".join(operands)}"')
    for option in options:
        parts = [f"complete -c {program}"]
        parts += [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
        if option.choices:
            parts.append(f'-x -a "{" ".join(option.choices)}"')
        elif option.is_directory:
            parts.append('-x -a "(__fish_complete_directories)"')
        elif option.value:
            parts.append("-r" if option.is_file else "-x")
        text = option.help.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        lines.append(" ".join([*parts, f'-d "{text}"']))
    return "\n".join([*lines, ""])
