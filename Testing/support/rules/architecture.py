"""The rules of the architecture, read from the source text: each function lists what breaks one rule.

Imports point only to the left in `FLOW`, and there is no cycle, neither between files nor between packages.
`Testing/Python/static/test_architecture.py` asserts that each rule holds. All functions take the project's root folder,
so that the tests can also show that a planted violation is found.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "ThyroidSynthLib"

FLOW = (
    *("common", "geometry", "imaging", "dataset", "model", "training", "jobs"),
    *("generation", "export", "evaluation", "api", "slicer", "cli"),
)
# Neither front end imports the other; the order above covers the opposite direction.
MUST_NOT_IMPORT = {"cli": {"slicer"}}

SLICER = {"slicer", "ctk", "qt", "PythonQt", "PySide6"}
ALLOWED_OF_SLICER = {"slicer.scene": {"slicer"}, "slicer.panel": {"slicer", "ctk", "qt"}}

# Not part of Slicer: the module must open before these are installed, however long the chain of imports.
NOT_IN_SLICER = {"torch", "trimesh", "tqdm", "matplotlib", "jinja2"}
HEAVY = NOT_IN_SLICER | {"vtk", "vtkmodules", "SimpleITK", "scipy"}
OPENS_WITH_SLICER = {"root", "common", "slicer.scene", "slicer.panel", "module"}
# What Slicer runs itself is without PyTorch. The map of features is fitted in the background process of a training.
WITHOUT_TORCH = {"geometry", "imaging", "dataset", "model", "generation", "export", "api"}
OF_TRAINING = "generation.steer.map_fitting"

UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}

LONGEST_FILE = 400
MOST_FILES = 16  # with __init__.py


@dataclass(frozen=True)
class Import:
    """One imported module, with the line it stands in; `at_file_scope` if it runs when the file is loaded."""

    module: str
    line: int
    at_file_scope: bool

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A Python file of the product."""

    path: Path
    module: str
    layer: str
    tree: ast.Module

    def imports(self) -> Iterator[Import]:
        """All imports, in functions and under TYPE_CHECKING too."""
        yield from _imports_in(self.tree.body, self.package(), at_file_scope=True)

    def at(self, line: int) -> str:
        return f"{self.path.as_posix()}:{line}"

    def package(self) -> str:
        """Name of the package the file lies in."""
        return self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]


def sources(root: Path) -> list[Source]:
    """Read the module's file, the library and the training script."""
    found = []
    for path in sorted((root / "ThyroidSynth").rglob("*.py")):
        parts = list(path.relative_to(root / "ThyroidSynth").with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.append(_source(root, path, ".".join(parts), _layer_of(parts)))
    for path in sorted((root / "ThyroidSynthTrain").rglob("*.py")):
        found.append(_source(root, path, path.stem, "train script"))
    return found


def imports_against_the_flow(root: Path) -> list[str]:
    """Imports of a package that lies further to the right in the flow, and folders the flow does not name."""
    faults = []
    for source in _library(root):
        here = _top(source.module)
        if here not in FLOW:
            faults += [f"{source.path.as_posix()}: no place in the flow for '{here}'"] if here else []
            continue
        for found in source.imports():
            there = _top(found.module) if found.package == LIBRARY else ""
            against = there in FLOW and FLOW.index(there) > FLOW.index(here)
            if against or there in MUST_NOT_IMPORT.get(here, ()):
                faults.append(f"{source.at(found.line)}: {here} imports {found.module}")
    return faults


def import_cycles(root: Path) -> list[str]:
    """Files that import each other, directly or through others; imports in functions count."""
    return [f"cycle: {' -> '.join(names)}" for names in _cycles(_imported_files(root))]


def package_cycles(root: Path) -> list[str]:
    """Packages that import each other through any of their files."""
    packages: dict[str, set[str]] = {}
    by_module = {source.module: source for source in _library(root)}
    for module, imported in _imported_files(root).items():
        here = by_module[module].package()
        there = {by_module[name].package() for name in imported}
        packages.setdefault(here, set()).update(there - {here, LIBRARY})
    packages.pop(LIBRARY, None)
    return [f"cycle: {' -> '.join(names)}" for names in _cycles(packages)]


def crowded_folders(root: Path) -> list[str]:
    """Folders of the library with more files than one takes in at a glance."""
    counts = Counter(source.path.parent for source in _library(root))
    return [f"{folder.as_posix()}: {count} files" for folder, count in counts.items() if count > MOST_FILES]


def slicer_outside_its_layers(root: Path) -> list[str]:
    """Imports of Slicer or Qt where the library must run without them (only panel and module know Qt)."""
    faults = []
    for source in sources(root):
        if source.layer == "module":
            continue
        allowed = ALLOWED_OF_SLICER.get(source.layer, set())
        for found in source.imports():
            of_slicer = found.package in SLICER or found.package.startswith(("vtkSlicer", "vtkMRML", "qSlicer"))
            if of_slicer and found.package not in allowed:
                faults.append(f"{source.at(found.line)}: {source.layer} imports {found.module}")
    return faults


def heavy_at_file_scope(root: Path) -> list[str]:
    """Heavy imports that run when Slicer loads the module, and torch where Slicer runs without it."""
    faults = []
    for source in sources(root):
        of_training = source.module.endswith(OF_TRAINING)
        without_torch = source.layer in WITHOUT_TORCH and not of_training
        heavy = HEAVY if source.layer in OPENS_WITH_SLICER else {"torch"} if without_torch else set()
        faults += [
            f"{source.at(found.line)}: {found.module} at file scope"
            for found in source.imports()
            if found.at_file_scope and found.package in heavy
        ]
    return faults


def chains_to_what_slicer_lacks(root: Path) -> list[str]:
    """Files loaded with the module that load, through others, a package Slicer does not come with."""
    by_module = {source.module: source for source in sources(root)}
    faults = []
    for source in by_module.values():
        if source.layer not in OPENS_WITH_SLICER:
            continue
        reached, waiting = {source.module: ""}, [source.module]
        while waiting:
            module = waiting.pop()
            for found in by_module[module].imports():
                if not found.at_file_scope:
                    continue
                if found.package in NOT_IN_SLICER and module != source.module:
                    faults.append(f"{source.path.as_posix()} loads {found.package} through {reached[module]}{module}")
                for name in _with_parents(found.module):
                    if name in by_module and name not in reached:
                        reached[name] = "" if module == source.module else f"{reached[module]}{module} -> "
                        waiting.append(name)
    return faults


def unpickling(root: Path) -> list[str]:
    """Calls and imports that could run code out of a data file."""
    faults = []
    for source in sources(root):
        faults += [
            f"{source.at(found.line)}: imports {found.module}"
            for found in source.imports()
            if found.package in UNPICKLING
        ]
        for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if (
                (name == "torch.load" and given.get("weights_only") != "True")
                or name == "torch.save"
                or name.endswith(".read_pickle")
                or given.get("allow_pickle", "False") != "False"
            ):
                faults.append(f"{source.at(call.lineno)}: {name} may read or write pickles")
    return faults


def printing(root: Path) -> list[str]:
    """Calls of print in the library, where only the command line talks to the terminal."""
    return [
        f"{source.at(node.lineno)}: print in {source.layer}"
        for source in sources(root)
        if source.layer not in ("module", "train script", "cli")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def too_long(root: Path) -> list[str]:
    """Python files of more than 400 lines."""
    faults = []
    for folder in ("ThyroidSynth", "ThyroidSynthTrain", "Testing", "scripts"):
        for path in sorted((root / folder).rglob("*.py")):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONGEST_FILE:
                faults.append(f"{path.relative_to(root).as_posix()}: {lines} lines")
    return faults


def _source(root: Path, path: Path, module: str, layer: str) -> Source:
    return Source(path.relative_to(root), module, layer, ast.parse(path.read_text(encoding="utf-8")))


def _layer_of(parts: list[str]) -> str:
    if parts[0] != LIBRARY:
        return "module"
    if len(parts) == 1:
        return "root"
    return ".".join(parts[1:3]) if parts[1] == "slicer" else parts[1]


def _library(root: Path) -> list[Source]:
    return [source for source in sources(root) if source.module.partition(".")[0] == LIBRARY]


def _top(module: str) -> str:
    return [*module.split("."), ""][1]


def _imported_files(root: Path) -> dict[str, set[str]]:
    """Names of the library's files that each of them imports."""
    names = {source.module for source in _library(root)}
    graph: dict[str, set[str]] = {}
    for source in _library(root):
        closest = {
            next((name for name in _with_parents(found.module) if name in names), "") for found in source.imports()
        }
        graph[source.module] = closest - {"", LIBRARY, source.module}
    return graph


def _cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Find one cycle for each group of nodes that reach each other."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> None:
        if node in way:
            found.append([*way[way.index(node) :], node])
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*way, node])
            done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return found


def _imports_in(body: list[ast.stmt], package: str, *, at_file_scope: bool) -> Iterator[Import]:
    for node in body:
        yield from _imports_of(node, package, at_file_scope=at_file_scope)


def _imports_of(node: ast.AST, package: str, *, at_file_scope: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, at_file_scope)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [base])])
        # `from package import module` loads the module; a plain name does no harm here.
        for alias in node.names:
            yield Import(base if alias.name == "*" else f"{base}.{alias.name}", node.lineno, at_file_scope)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield from _imports_in(node.body, package, at_file_scope=False)
        yield from _imports_in(node.orelse, package, at_file_scope=at_file_scope)
    else:
        in_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from _imports_of(child, package, at_file_scope=at_file_scope and not in_function)


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
