"""The rules of the architecture, read from the source text: each function lists what breaks one rule.

The folders and what they may know: data goes anatomy -> learning -> synthesis -> evaluation and scene ->
panel, and imports only point back along that way. All functions take the project's root folder, so that
the tests can also show that a planted violation is found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "ThyroidSynthLib"

BASE = "base"  # the files beside the folders: errors, files, progress, results, streams
_SHAPES = {BASE, "anatomy", "learning", "synthesis"}
MAY_IMPORT = {
    BASE: {BASE},
    "anatomy": {BASE, "anatomy"},
    "learning": {BASE, "anatomy", "learning"},
    "synthesis": _SHAPES,
    "evaluation": _SHAPES | {"evaluation"},
    "scene": _SHAPES | {"scene"},
    "panel": _SHAPES | {"evaluation", "scene", "panel"},
    "cli": _SHAPES | {"evaluation", "cli"},
}

SLICER = {"slicer", "ctk", "qt", "PythonQt", "PySide6"}
ALLOWED_OF_SLICER = {"scene": {"slicer"}, "panel": {"slicer", "ctk", "qt"}}

# Not part of Slicer: the module must open before these are installed, however long the chain of imports.
NOT_IN_SLICER = {"torch", "safetensors", "skimage", "trimesh", "tqdm", "matplotlib"}
HEAVY = NOT_IN_SLICER | {"vtk", "vtkmodules", "SimpleITK", "scipy"}
OPENS_WITH_SLICER = {BASE, "scene", "panel", "module"}

UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}

LONGEST_FILE = 400


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
        yield from _imports_in(self.tree.body, self._package(), at_file_scope=True)

    def at(self, line: int) -> str:
        return f"{self.path.as_posix()}:{line}"

    def _package(self) -> str:
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
    """Imports of a layer that this layer must not know, and folders no rule knows."""
    faults = []
    for source in sources(root):
        if source.layer in ("module", "train script"):
            continue
        if source.layer not in MAY_IMPORT:
            faults.append(f"{source.path.as_posix()}: no rule for the folder '{source.layer}'")
            continue
        for found in source.imports():
            if found.package != LIBRARY:
                continue
            layer = _layer_of(found.module.split("."))
            if layer not in MAY_IMPORT[source.layer]:
                faults.append(f"{source.at(found.line)}: {source.layer} imports {found.module}")
    return faults


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
    """Heavy imports that run when Slicer loads the module, and torch at file scope of anatomy."""
    faults = []
    for source in sources(root):
        heavy = HEAVY if source.layer in OPENS_WITH_SLICER else {"torch"} if source.layer == "anatomy" else set()
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
        if source.layer in MAY_IMPORT and source.layer != "cli"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def too_long(root: Path) -> list[str]:
    """Python files longer than one idea."""
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
    if len(parts) == 1 or parts[1] in ("errors", "files", "progress", "results", "streams", "__version__"):
        return BASE
    return parts[1]


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
