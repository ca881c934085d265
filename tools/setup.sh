#!/bin/sh
# Make .venv ready, from the lock files and nothing else. The Makefile calls this; it also works alone:
#
#     sh tools/setup.sh server     what `annul demo` and `annul serve` need
#     sh tools/setup.sh dev        what working on annul needs (includes the former)
#     sh tools/setup.sh uv         only the installer, for compiling lock files
#
# PY names the interpreter (PY=python3.12); without it, the first one that will do is taken.
# GOAL is what the reader typed after `make`, for the advice in messages.
set -eu
cd "$(dirname "$0")/.."

what=$1
goal=${GOAL:-$what}
venv=.venv
python=$venv/bin/python
stamp=$venv/$what.stamp

# --- an interpreter -------------------------------------------------------------------------

# Say what a command is by running it ("3.11.7 good"): a version manager's shim is on the PATH
# and still does not run. Nothing is printed for a command that is not a Python at all.
probe() {
    "$1" -c '
import sys
version = "%d.%d.%d" % tuple(sys.version_info[:3])
verdict = "good"
try:
    import ensurepip, venv
except ImportError:
    verdict = "bare"
if sys.version_info < (3, 11):
    verdict = "old"
print(version + " " + verdict)
' 2>/dev/null </dev/null || :
}

# The first interpreter that will do goes to $found, and what is wrong with the others that ran
# to $old and $bare, each as "command version".
search() {
    found='' old='' bare=''
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        answer=$(probe "$candidate")
        case $answer in
            *good) found="$candidate ${answer% *}"; return ;;
            *old) old=${old:-$candidate ${answer% *}} ;;
            *bare) bare=${bare:-$candidate ${answer% *}} ;;
        esac
    done
}

refuse() {
    printf '%s\n' "$1" >&2
    exit 1
}

needs_venv() { # command version
    minor=${2#*.}
    refuse "$1 ($2) cannot make virtual environments: on Debian or Ubuntu type \"sudo apt install python3.${minor%.*}-venv\", then \"make $goal\" again."
}

if [ -n "${PY:-}" ]; then
    answer=$(probe "$PY")
    version=${answer% *}
    case $answer in
        *good) ;;
        *bare) needs_venv "$PY" "$version" ;;
        *)
            search
            if [ -n "$found" ]; then
                advice="type \"make $goal PY=${found% *}\" (that one is ${found#* })."
            else
                advice="install a newer one and type \"make $goal PY=python3.12\" with its name."
            fi
            if [ -n "$version" ]; then
                refuse "annul needs Python >= 3.11 and $PY is $version: $advice"
            fi
            refuse "annul needs Python >= 3.11 and $PY does not run here: $advice"
            ;;
    esac
    chosen=$PY
else
    search
    if [ -z "$found" ]; then
        # shellcheck disable=SC2086 # two words on purpose
        [ -z "$bare" ] || needs_venv $bare
        advice="install a newer one and type \"make $goal PY=python3.12\" with its name."
        [ -z "$old" ] || refuse "annul needs Python >= 3.11 and ${old% *} is ${old#* }: $advice"
        refuse "annul needs Python >= 3.11 and no python3 runs here: install one (on Debian or Ubuntu type \"sudo apt install python3-venv\"), then \"make $goal\" again."
    fi
    chosen=${found% *}
    version=${found#* }
fi

# --- the environment ------------------------------------------------------------------------

# Keep an environment that works, unless another interpreter was asked for by name.
present=''
if "$python" -c 'import pip' 2>/dev/null; then
    present=$(probe "$python")
    case $present in
        *old) present='' ;;
        *) present=${present% *} ;;
    esac
fi
if [ -n "$present" ] && { [ -z "${PY:-}" ] || [ "$present" = "$version" ]; }; then
    version=$present
    if [ -e "$stamp" ] && [ -z "$(find requirements pyproject.toml tools/setup.sh -newer "$stamp")" ]; then
        exit 0
    fi
else
    rm -rf "$venv"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

quietly() {
    "$@" >"$log" 2>&1 || {
        status=$?
        cat "$log" >&2
        printf 'The set-up stopped at: %s\n' "$*" >&2
        exit "$status"
    }
}

pip() { PIP_USER=0 "$python" -m pip --disable-pip-version-check -q "$@"; }

# uv takes two seconds where pip takes twenty. pip is the way out where only its own
# configuration (a mirror, a certificate) reaches the packages. Both check every hash.
install() {
    "$venv/bin/uv" pip install -q --python "$python" "$@" || pip install "$@"
}

printf 'Setting up %s with Python %s (a few seconds).\n' "$venv" "$version" >&2
[ -x "$python" ] || quietly "$chosen" -m venv "$venv"
quietly pip install --require-hashes -r requirements/uv.txt
if [ "$what" != uv ]; then
    quietly install --require-hashes -r "requirements/$what.txt"
    # Built with the locked build tools: an isolated build would fetch some that have no hash here.
    quietly install --no-deps --no-build-isolation -e .
fi
touch "$stamp"
if [ "$what" = dev ]; then touch "$venv/server.stamp"; fi
