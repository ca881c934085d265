"""The repository itself: nothing private in it, nothing too long, and its lists agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "requirements"
LONGEST = 350


def tracked() -> list[Path]:
    """Return the files that git tracks or would, or all but the built ones where git is absent."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        names = [name for name in listing.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        built = {".git", ".venv", ".cache", "site", "dist", "__pycache__"}
        names = [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if not built & set(path.relative_to(ROOT).parts)
            and not path.relative_to(ROOT).parts[0].endswith("_cache")
        ]
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found.append((path.relative_to(ROOT).as_posix(), data.decode("utf-8", "replace")))
    return found


def mentions(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


# --- nothing private ------------------------------------------------------------------------


def test_no_file_names_a_package_registry() -> None:
    # In pieces, so that this file does not name them either.
    hosts = [
        ("pypi", "org"),
        ("pypi.python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("anaconda", "org"),
        ("proxy.golang", "org"),
    ]
    names = "|".join(re.escape(".".join(host)) for host in hosts)
    assert mentions(re.compile(rf"\b(?:{names})\b", re.IGNORECASE)) == []


def test_no_file_names_a_path_of_this_machine() -> None:
    # Folders that any document may speak of, even if this copy happens to stand in one.
    common = {"/", "/app", "/home", "/opt", "/src", "/srv", "/tmp", "/usr", "/usr/src", "/var/tmp"}  # noqa: S108
    places = {str(place) for place in (ROOT, ROOT.parent, Path.home())} - common
    names = "|".join(re.escape(place) for place in sorted(places))
    assert mentions(re.compile(rf"(?<![\w.~-])(?:{names})/")) == []


def test_lock_files_hold_pins_and_hashes_and_nothing_else() -> None:
    line = re.compile(
        r"[a-z0-9][a-z0-9.-]*==\S+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    locks = sorted(LOCKS.glob("*.txt"))
    assert [lock.name for lock in locks] == ["dev.txt", "run.txt", "server.txt", "uv.txt"]
    for lock in locks:
        strange = [text for text in lock.read_text().splitlines() if not line.fullmatch(text)]
        assert strange == [], lock.name


# --- nothing too long -----------------------------------------------------------------------


def test_a_source_file_holds_one_idea() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted((ROOT / "src").rglob("*.py"))
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert long == {}, "split by subject, never by utils"


# --- lists that have to agree ---------------------------------------------------------------


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in (LOCKS / lock).read_text().splitlines():
        pin = re.match(r"([a-z0-9.-]+)==([^ ]+)", text)
        if pin:
            found.setdefault(pin[1], set()).add(pin[2])
    return found


def requirements_of(lock: str) -> list[str]:
    """Return what the Makefile compiles into a lock file, as pyproject.toml has it now."""
    metadata = project()
    extras = metadata["project"]["optional-dependencies"]
    groups = metadata["dependency-groups"]
    base = metadata["project"]["dependencies"]
    build = groups["build"]
    dev = [entry for entry in groups["dev"] if isinstance(entry, str)]
    contents: dict[str, list[str]] = {
        "run.txt": base + [line for name in extras if name != "all" for line in extras[name]],
        "server.txt": base + extras["server"] + build,
        "dev.txt": base
        + [line for name in ("server", "redis", "postgres", "http") for line in extras[name]]
        + build
        + dev,
        "uv.txt": groups["uv"],
    }
    return contents[lock]


@pytest.mark.parametrize("lock", ["run.txt", "server.txt", "dev.txt", "uv.txt"])
def test_a_lock_file_satisfies_the_project(lock: str) -> None:
    locked = pins(lock)
    for line in requirements_of(lock):
        wanted = Requirement(line)
        versions = locked.get(canonicalize_name(wanted.name), set())
        assert versions, f"{wanted.name} is not in requirements/{lock}: make lock"
        # Several pins stand for several interpreters or systems, and each has to do.
        unfit = [text for text in versions if not wanted.specifier.contains(Version(text))]
        assert unfit == [], f"{line} against requirements/{lock}: make lock"


def test_the_lock_files_agree_with_each_other() -> None:
    everything = pins("run.txt")
    for lock in ("server.txt", "dev.txt"):
        for name, versions in pins(lock).items():
            assert versions <= everything.get(name, versions), f"{name} in requirements/{lock}"


def test_the_extra_for_everything_has_every_extra() -> None:
    extras = project()["project"]["optional-dependencies"]
    (everything,) = (Requirement(line) for line in extras["all"])
    assert everything.name == "annul"
    assert everything.extras == set(extras) - {"all"}


def test_the_version_is_the_same_everywhere() -> None:
    import annul  # noqa: PLC0415 - everything else here works without it

    assert annul.__version__ == project()["project"]["version"]


def pages(nav: list[Any]) -> list[str]:
    found: list[str] = []
    for entry in nav:
        for target in [entry] if isinstance(entry, str) else entry.values():
            found += [target] if isinstance(target, str) else pages(target)
    return found


def test_every_page_is_in_the_navigation() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = pages(config["project"]["nav"])
    docs = ROOT / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert len(listed) == len(set(listed))
    assert written == set(listed), "nav in zensical.toml and docs/ differ"


def test_continuous_integration_can_start() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("annul/")}
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in tracked() if source in path.parents}
    assert packed == files
    assert "annul/py.typed" in packed
