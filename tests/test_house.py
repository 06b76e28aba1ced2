"""The three laws of the house (docs/architecture.md), and its habits, read from the source."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dvid_array

ROOT = Path(dvid_array.__file__).parent
SOURCES = {
    ".".join(("dvid_array", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): ast.parse(path.read_text("utf-8"), str(path))
    for path in ROOT.rglob("*.py")
}

FLOORS = {
    1: "box errors facts memory once settings units",
    2: "addresses casting chunking coordinates corners owners protocol scales selection",
    3: "client devserver",
    4: "array attributes bodies display doors opening placement progress pyramids refusals "
    "repository rois sparse_volume storing views",
    5: "adapters cli pydvid testing __main__",
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}

LIBRARIES = {
    "anyio": "devserver",
    "click": "cli",
    "dask": "adapters.dask",
    "distributed": "adapters.dask",
    "isal": "protocol.gzips",
    "jsonschema": "protocol.documents",
    "lz4": "protocol.voxels",
    "matplotlib": "adapters cli",
    "numba": "protocol.label_kernels",
    "pandas": "adapters.xarray",
    "PIL": "protocol.voxels devserver",
    "requests": "client.transport client.connections client.meanings",
    "rich": "cli",
    "sparse": "adapters.sparse",
    "sqlite3": "devserver",
    "starlette": "devserver",
    "tqdm": "progress",
    "urllib3": "client.connections client.meanings",
    "uvicorn": "devserver",
    "xarray": "adapters.xarray",
}
"""Library -> the modules that may import it. numpy is free, and `testing` and `cli` show how the
whole is used, so dask and xarray are theirs too."""
USERS = {"dask": "cli testing", "distributed": "cli testing", "xarray": "cli testing"}


VERSION = "dvid_array.__version__"
"""The one thing of the package's root that modules may read."""


def _is_type_checking(branch: ast.AST) -> bool:
    return isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"


def _imports(tree: ast.AST) -> set[str]:
    """Dotted names that a module imports at run time, at its top or inside a function."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Import):
            found |= {alias.name for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports name their module in full"
            dotted = {f"{child.module}.{alias.name}" for alias in child.names} - {VERSION}
            found |= {name if name in SOURCES else str(child.module) for name in dotted}
        elif not _is_type_checking(child):
            found |= _imports(child)
    return found


IMPORTS = {module: _imports(tree) for module, tree in SOURCES.items()}
INSIDE = {
    module: {name for name in names if name.split(".")[0] == "dvid_array"}
    for module, names in IMPORTS.items()
    if module != "dvid_array"
}


def _room(module: str) -> str:
    return module.split(".")[1]


def _within(module: str, rooms: str) -> bool:
    name = module.removeprefix("dvid_array.")
    return any(name == room or name.startswith(room + ".") for room in rooms.split())


def test_every_module_stands_on_a_floor() -> None:
    assert {_room(module) for module in SOURCES if module != "dvid_array"} <= set(FLOOR)


def test_nobody_imports_the_root() -> None:
    assert [module for module, names in INSIDE.items() if "dvid_array" in names] == []


def test_imports_go_down() -> None:
    """The first law. The way up is `doors.door`, which imports by name, inside the call."""
    upward = [
        f"{module} -> {name}"
        for module, names in INSIDE.items()
        for name in names
        if module != name and FLOOR[_room(module)] < FLOOR[_room(name)]
    ]
    assert not upward
    TopologicalSorter(INSIDE).prepare()  # raises where there is a cycle


def test_only_doors_import_by_name() -> None:
    """And hooks, what `Settings` name; the registry waits for imports that are under way."""
    dynamic = {module for module, names in IMPORTS.items() if "importlib" in names}
    dynamic -= {module for module in dynamic if "import_module" not in ast.dump(SOURCES[module])}
    by_name = {"client.hooks", "client.registry", "doors"}
    assert dynamic == {"dvid_array", *(f"dvid_array.{module}" for module in by_name)}


def test_towers_do_not_meet() -> None:
    """The second law: they meet in floors 1 and 2 only."""
    towers = ("client", "devserver")
    for module, names in INSIDE.items():
        if _room(module) in towers:
            other = towers[1 - towers.index(_room(module))]
            assert not [name for name in names if _within(name, other)], module


def test_adapters_do_not_know_one_another() -> None:
    """All may use dask's."""
    for module, names in INSIDE.items():
        if _within(module, "adapters"):
            others = {name for name in names if _within(name, "adapters")} - {module}
            room = ".".join(module.split(".")[1:3])
            assert all(_within(name, f"adapters.dask {room}") for name in others), module


def test_libraries_have_their_places() -> None:
    """The third law."""
    for module, names in IMPORTS.items():
        foreign = {name.split(".")[0] for name in names} - {"dvid_array", "numpy"}
        for library in foreign - (sys.stdlib_module_names - {"sqlite3"}):
            places = f"{LIBRARIES.get(library, '')} {USERS.get(library, '')}"
            assert _within(module, places), f"{module} imports {library}"


def test_importing_loads_numpy_at_most() -> None:
    code = "import sys; old = {*sys.modules}; import dvid_array; print(*{*sys.modules} - old)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign = {name.split(".")[0] for name in run.stdout.split()} - sys.stdlib_module_names
    assert foreign <= {"dvid_array", "numpy"}


@pytest.mark.parametrize(
    "module", [m for m, tree in SOURCES.items() if "__all__" in ast.dump(tree)]
)
def test_public_names_are_sorted_and_there(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__all__ == sorted(loaded.__all__)
    assert set(loaded.__all__) <= set(dir(loaded))
    for name in loaded.__all__:
        assert getattr(loaded, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        dvid_array.nonsense  # noqa: B018


def test_state_lives_in_the_registry() -> None:
    """Elsewhere nothing is rebound, and tables are constants by name."""
    for module, tree in SOURCES.items():
        if module == "dvid_array.client.registry":
            continue
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.Global)], module
        for line in tree.body:
            value = getattr(line, "value", None)
            if not isinstance(line, ast.Assign | ast.AnnAssign) or value is None:
                continue
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            if isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp):
                names = [ast.unparse(target).strip("_") for target in targets]
                assert all(name.isupper() or name == "all" for name in names), f"{module}: {names}"


def test_properties_share_no_lock() -> None:
    """A forked child would find it held; see `once`."""
    for module, tree in SOURCES.items():
        names = [
            one.name
            for line in ast.walk(tree)
            if isinstance(line, ast.ImportFrom)
            for one in line.names
        ]
        assert "cached_property" not in names, module


def test_nothing_is_validated_by_assert() -> None:
    """`python -O` must not change what is refused; conformance functions are tests."""
    for module, tree in SOURCES.items():
        if not _within(module, "testing"):
            assert not [n for n in ast.walk(tree) if isinstance(n, ast.Assert)], module


def test_files_stay_readable() -> None:
    for module, tree in SOURCES.items():
        lines = ast.unparse(tree).count("\n")
        assert lines < 400, module
        assert ast.get_docstring(tree) or not tree.body, f"{module} does not say what it owns"
