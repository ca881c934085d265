"""The real openssl program, which is what makes most of the keys that people have."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

OPENSSL = shutil.which("openssl")


def _version() -> bytes:
    if OPENSSL is None:
        return b""
    return subprocess.run([OPENSSL, "version"], capture_output=True, check=False).stdout


# Older ones, and LibreSSL, write some keys in other forms.
needs_openssl = pytest.mark.skipif(
    not re.match(rb"OpenSSL [3-9]", _version()), reason="there is no openssl program of version 3"
)


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    """Return what openssl writes; fail with what it says if it does not like the arguments."""
    done = subprocess.run(
        [OPENSSL or "openssl", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout
