"""Every room, imported alone in a fresh interpreter, loads only what it may.

The import contracts in pyproject.toml are about the text of the imports; these tests are about what
really arrives in ``sys.modules``, through other packages too.
"""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "annul"

# Standard modules that tell of I/O, of a loop or of a log.
IO = frozenset({"asyncio", "http", "logging", "socket", "sqlite3", "ssl", "subprocess", "urllib"})
# A database or an HTTP stack in a room that has neither.
DRIVERS = frozenset({"http", "sqlite3"})


@dataclass(frozen=True)
class Room:
    """What importing a room may bring in.

    ``may``: packages from outside, with whatever they load themselves. ``must_not``: standard
    modules, unless one of those packages loads them. ``needs``: the packages without which the room
    cannot be imported at all.
    """

    may: frozenset[str] = frozenset()
    must_not: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()


def room(*may: str, must_not: frozenset[str] = frozenset(), needs: str = "") -> Room:
    return Room(frozenset(may), must_not, frozenset(needs.split()))


# A name that ends in ".*" stands for the package and all the modules in it, imported together.
ROOMS = {
    "annul": room("cryptography", must_not=DRIVERS),
    "annul.errors": room(must_not=IO),
    "annul.core.*": room("cryptography", must_not=IO),
    "annul.portal": room(must_not=DRIVERS),
    "annul.delivery": room("cryptography", must_not=DRIVERS),
    "annul.audit.*": room("cryptography", must_not=DRIVERS),
    "annul.stores": room("cryptography", must_not=DRIVERS),
    "annul.stores.base": room("cryptography", must_not=DRIVERS),
    "annul.stores.memory": room("cryptography", must_not=DRIVERS),
    "annul.stores.rules": room("cryptography", must_not=DRIVERS),
    "annul.stores.sql": room("cryptography", must_not=frozenset({"http"})),
    "annul.stores.sqlite": room("cryptography", must_not=frozenset({"http"})),
    "annul.stores.redis": room("cryptography", "redis", must_not=DRIVERS, needs="redis"),
    "annul.stores.postgres": room(
        "cryptography", "psycopg", "psycopg_binary", must_not=DRIVERS, needs="psycopg"
    ),
    "annul.signers": room("cryptography", must_not=DRIVERS),
    "annul.authority.*": room("cryptography", must_not=DRIVERS),
    "annul.replica": room("cryptography", must_not=DRIVERS),
    "annul.replica.http_feed": room("cryptography", "httpx2", needs="httpx2"),
    "annul.door": room("cryptography", must_not=DRIVERS),
    "annul.door_keys": room("cryptography", must_not=DRIVERS),
    "annul.door_revocation": room("cryptography", must_not=DRIVERS),
    "annul.door_sessions": room("cryptography", must_not=DRIVERS),
    "annul.blocking": room("cryptography", must_not=DRIVERS),
    "annul.testing": room("cryptography", "pytest", must_not=DRIVERS),
    "annul.integrations": room("cryptography", must_not=DRIVERS),
    "annul.integrations.bearer": room("cryptography", must_not=DRIVERS),
    "annul.integrations.certificates": room("cryptography", must_not=DRIVERS),
    "annul.integrations.cookies": room("cryptography", must_not=DRIVERS),
    "annul.integrations.csrf": room("cryptography", must_not=DRIVERS),
    "annul.integrations.fetch_metadata": room("cryptography", must_not=DRIVERS),
    "annul.integrations.headers": room("cryptography", must_not=DRIVERS),
    "annul.integrations.asgi": room("cryptography", must_not=DRIVERS),
    "annul.integrations.fastapi": room("cryptography", "fastapi", "starlette", needs="fastapi"),
    "annul.integrations.flask": room("cryptography", "flask", "werkzeug", needs="flask"),
    "annul.integrations.django": room("cryptography", "django", "rest_framework", needs="django"),
    "annul.server": room(
        "cryptography", "starlette", "jinja2", "msgspec", must_not=DRIVERS, needs="starlette"
    ),
    "annul.cli": room("cryptography", "click", "rich", "msgspec", needs="click"),
}


def package_of(name: str) -> str:
    return name.removesuffix(".*")


def exists(name: str) -> bool:
    relative = Path(*package_of(name).split(".")[1:])
    place = SOURCE / relative
    return (place / "__init__.py").exists() or place.with_suffix(".py").exists()


IMPORTER = """
import importlib, json, sys, types
before = set(sys.modules)
source, names, lenient = json.loads(sys.argv[1])
if names != ["annul"]:
    # The public door imports every room. A stand-in with the same path lets each one in alone.
    door = sys.modules["annul"] = types.ModuleType("annul")
    door.__path__ = [source]
for name in names:
    try:
        importlib.import_module(name)
    except ImportError:
        if not lenient:
            raise
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@cache
def loaded_by(*names: str, lenient: bool = False) -> frozenset[str]:
    """Return what a fresh interpreter has loaded after these imports, beyond what it starts with.

    ``lenient`` passes over names that cannot be imported by themselves: compiled modules put some
    into ``sys.modules``.
    """
    run = subprocess.run(
        [sys.executable, "-c", IMPORTER, json.dumps([str(SOURCE), names, lenient])],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return frozenset(json.loads(run.stdout.splitlines()[-1]))


def modules_of(name: str) -> tuple[str, ...]:
    if not name.endswith(".*"):
        return (name,)
    package = package_of(name)
    folder = SOURCE.joinpath(*package.split(".")[1:])
    return (
        package,
        *(f"{package}.{module.name}" for module in pkgutil.iter_modules([str(folder)])),
    )


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("name", [name for name in ROOMS if exists(name)])
def test_a_room_loads_only_what_it_may(name: str) -> None:
    rules = ROOMS[name]
    for package in sorted(rules.needs):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")

    loaded = loaded_by(*modules_of(name))
    # What the permitted packages load is theirs to answer for, so it is asked of them alone. Each
    # is asked for exactly the parts that the room made it load.
    theirs = loaded_by(*sorted(m for m in loaded if top(m) in rules.may), lenient=True)

    ours = {top(module) for module in loaded - theirs}
    foreign = ours - sys.stdlib_module_names - rules.may - {"annul"}
    assert not foreign, f"importing {name} loads {sorted(foreign)}"
    unwanted = ours & rules.must_not
    assert not unwanted, f"importing {name} loads {sorted(unwanted)}"


def test_every_room_is_in_the_table() -> None:
    rooms = {f"annul.{module.name}" for module in pkgutil.iter_modules([str(SOURCE)])}
    assert rooms - {"annul.__main__"} <= {package_of(name) for name in ROOMS}


def test_every_backend_and_integration_is_in_the_table() -> None:
    missing = {
        f"annul.{package}.{module.name}"
        for package in ("stores", "integrations")
        for module in pkgutil.iter_modules([str(SOURCE / package)])
    } - set(ROOMS)
    # Parts of one backend are imported by it, and so are tested with it.
    parts = {name for name in missing if name.rpartition("_")[0] in ROOMS}
    assert not missing - parts


def reads_environment(tree: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            return True
        if isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names}:
            return True
    return False


def test_only_the_command_line_reads_the_environment() -> None:
    readers = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        if reads_environment(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert [path for path in readers if not path.startswith("cli/")] == []


def test_the_core_has_no_coroutines() -> None:
    waiting = [
        f"{path.relative_to(SOURCE).as_posix()}:{node.lineno}"
        for path in sorted((SOURCE / "core").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert waiting == []
