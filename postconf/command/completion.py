"""Completion scripts for shells: options, and the names of parameters."""

from __future__ import annotations

from ..errors import ConfigError
from .extensions import FLAGS, WITH_VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..catalogue import Release

_COMMAND = "tlsproxy-postconf"

_BASH = """\
_tlsproxy_postconf() {{
    local current=${{COMP_WORDS[COMP_CWORD]}}
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
        -c) COMPREPLY=($(compgen -d -- "$current")); return ;;
        -C) COMPREPLY=($(compgen -W "builtin service user all" -- "$current")); return ;;
        --completion) COMPREPLY=($(compgen -W "{shells}" -- "$current")); return ;;
        --postfix-version) COMPREPLY=($(compgen -W "{releases}" -- "$current")); return ;;
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "{options}" -- "$current")) ;;
        *) COMPREPLY=($(compgen -W "{names}" -- "$current")) ;;
    esac
}}
complete -F _tlsproxy_postconf {command}
"""

_ZSH = """\
#compdef {command}
local -a names=({names})
_arguments -S \\
    '-c[configuration directory]:directory:_files -/' \\
    '-C[classes of parameters]:class:(builtin service user all)' \\
    '--json[print as JSON]' \\
    '--origin[print where values come from]' \\
    '--service[as this service sees it]:service' \\
    '--postfix-version[answer as this release]:release:({releases})' \\
    '--completion[print a completion script]:shell:({shells})' \\
    '*:parameter:compadd -a names'
"""

_FISH = """\
complete -c {command} -f -a "{names}"
complete -c {command} -s c -x -a "(__fish_complete_directories)" -d "configuration directory"
complete -c {command} -s C -x -a "builtin service user all" -d "classes of parameters"
complete -c {command} -l json -d "print as JSON"
complete -c {command} -l origin -d "print where values come from"
complete -c {command} -l service -x -d "as this service sees it"
complete -c {command} -l postfix-version -x -a "{releases}" -d "answer as this release"
complete -c {command} -l completion -x -a "{shells}" -d "print a completion script"
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, release: Release) -> str:
    """The completion script of a shell, with the parameter names of a release. Raise `ConfigError`."""
    from ..catalogue import upstream_releases

    if shell not in _SCRIPTS:
        raise ConfigError(f"no completion for {shell}; there is one for {', '.join(_SCRIPTS)}")
    branches = [".".join(name.split(".")[:2]).partition("-")[0] for name in upstream_releases()]
    return _SCRIPTS[shell].format(
        command=_COMMAND,
        names=" ".join(sorted(release.defaults)),
        options=" ".join(f"--{name}" for name in (*FLAGS, *WITH_VALUE)),
        releases=" ".join(dict.fromkeys(branches)),
        shells=" ".join(_SCRIPTS),
    )
