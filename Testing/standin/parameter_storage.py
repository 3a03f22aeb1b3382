"""How values of each type are kept in a ``vtkMRMLScriptedModuleNode``.

Names and texts are those of Slicer's ``parameterNodeWrapper``, so that scenes are the same: an enum is
kept by its name, a node as a node reference with an empty parameter beside it, a list as ``name.len``
and ``name.0`` ..., a union under the index of the type that fits.
"""

from __future__ import annotations

import collections.abc
import enum
import pathlib
import types
import typing

import slicer
import slicer.util

from .parameter_types import FloatRange, IsInstance, IsNone, NotNone

PATH_TYPES = (pathlib.Path, pathlib.PosixPath, pathlib.PurePath, pathlib.PurePosixPath)


class Storage:
    """Keeps values of one type under one parameter name."""

    cacheable = True

    def __init__(self, datatype, validators: list) -> None:
        self.datatype, self.validators = datatype, list(validators)

    @classmethod
    def fits(cls, datatype) -> bool:
        """Return whether this class keeps values of the type."""
        raise NotImplementedError

    def default(self):
        """Value of a parameter that has no other default."""
        return self.datatype()

    def validate(self, value) -> None:
        """Raise if the value is not allowed."""
        for validator in self.validators:
            validator.validate(value)

    def has(self, node, name: str) -> bool:
        """Return whether the node holds the parameter."""
        return bool(node.HasParameter(name))

    def write(self, node, name: str, value) -> None:
        """Check a value and keep it."""
        self.validate(value)
        node.SetParameter(name, self._to_text(value))

    def read(self, node, name: str):
        """Return the value kept."""
        return self._from_text(node.GetParameter(name))

    def remove(self, node, name: str) -> None:
        """Take the parameter out of the node."""
        node.UnsetParameter(name)

    def _to_text(self, value) -> str:
        return str(value)

    def _from_text(self, text: str):
        return self.datatype(text)


class NumberStorage(Storage):
    """int and float."""

    def __init__(self, datatype, validators) -> None:
        accepted = (int, float) if datatype is float else int
        super().__init__(datatype, [NotNone(), IsInstance(accepted), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return datatype in (int, float)

    def default(self):
        return 0


class TextStorage(Storage):
    """str and paths; the path of an empty text is ``.``, as pathlib has it."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [NotNone(), IsInstance(datatype), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return datatype is str or datatype in PATH_TYPES


class BoolStorage(Storage):
    """Bool, kept as True or False."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [NotNone(), IsInstance(bool), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return datatype is bool

    def _to_text(self, value) -> str:
        return "True" if value else "False"

    def _from_text(self, text: str):
        return text == "True"


class EnumStorage(Storage):
    """Enumerations, kept by name."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [IsInstance(datatype), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return isinstance(datatype, type) and issubclass(datatype, enum.Enum)

    def default(self):
        return next(iter(self.datatype))

    def _to_text(self, value) -> str:
        return value.name

    def _from_text(self, text: str):
        try:
            return self.datatype[text]
        except KeyError as error:
            message = f"Found {text!r} in parameter node but it is not a name in {self.datatype!r}"
            raise ValueError(message) from error


class NodeStorage(Storage):
    """MRML nodes, kept as node references; None when there is none."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [IsInstance(datatype), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return isinstance(datatype, type) and issubclass(datatype, slicer.vtkMRMLNode)

    def default(self):
        return None

    def write(self, node, name: str, value) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name: str):
        return node.GetNodeReference(name)

    def remove(self, node, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneStorage(Storage):
    """The None of an optional type."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [IsNone(), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return datatype is type(None)

    def default(self):
        return None

    def _to_text(self, value) -> str:
        return "True"

    def _from_text(self, text: str):
        return None


class RangeStorage(Storage):
    """FloatRange, kept as two numbers."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, [NotNone(), IsInstance(FloatRange), *validators])

    @classmethod
    def fits(cls, datatype) -> bool:
        return datatype is FloatRange

    def has(self, node, name: str) -> bool:
        return bool(node.HasParameter(f"{name}._minimum"))

    def write(self, node, name: str, value) -> None:
        self.validate(value)
        with slicer.util.NodeModify(node):
            node.SetParameter(f"{name}._minimum", str(value.minimum))
            node.SetParameter(f"{name}._maximum", str(value.maximum))

    def read(self, node, name: str):
        return FloatRange(*(float(node.GetParameter(f"{name}._{end}")) for end in ("minimum", "maximum")))

    def remove(self, node, name: str) -> None:
        for end in ("minimum", "maximum"):
            node.UnsetParameter(f"{name}._{end}")


class KeptList(collections.abc.MutableSequence):
    """List of a parameter node: each change is written at once. It cannot be added to another list."""

    def __init__(self, node, storage: ListStorage, name: str, values: list) -> None:
        self._node, self._storage, self._name, self._values = node, storage, name, values

    def _keep(self) -> None:
        try:
            self._storage.write(self._node, self._name, self._values)
        finally:
            self._values = self._storage.read(self._node, self._name)._values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value) -> None:
        self._values[index] = value
        self._keep()

    def __delitem__(self, index) -> None:
        del self._values[index]
        self._keep()

    def insert(self, index: int, value) -> None:
        self._values.insert(index, value)
        self._keep()

    def __eq__(self, other) -> bool:
        return self._values == getattr(other, "_values", other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"ObservedList({self._values})"


class ListStorage(Storage):
    """list[type]."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, validators)
        self.element = storage_for(typing.get_args(datatype)[0])
        self.cacheable = self.element.cacheable

    @classmethod
    def fits(cls, datatype) -> bool:
        return typing.get_origin(datatype) is list

    def default(self):
        return []

    def has(self, node, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def _count(self, node, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.has(node, name) else 0

    def write(self, node, name: str, value) -> None:
        self.validate(value)
        values = list(value)
        for each in values:
            self.element.validate(each)
        with slicer.util.NodeModify(node):
            before = self._count(node, name)
            for index, each in enumerate(values):
                self.element.write(node, f"{name}.{index}", each)
            node.SetParameter(f"{name}.len", str(len(values)))
            for index in range(len(values), before):
                self.element.remove(node, f"{name}.{index}")

    def read(self, node, name: str):
        count = self._count(node, name)
        values = [self.element.read(node, f"{name}.{index}") for index in range(count)]
        return KeptList(node, self, name, values)

    def remove(self, node, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index in range(self._count(node, name)):
                self.element.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class UnionStorage(Storage):
    """Union and Optional: the first type that takes the value."""

    def __init__(self, datatype, validators) -> None:
        super().__init__(datatype, validators)
        self.members = [storage_for(each) for each in typing.get_args(datatype)]
        self.cacheable = all(member.cacheable for member in self.members)

    @classmethod
    def fits(cls, datatype) -> bool:
        return typing.get_origin(datatype) in (typing.Union, types.UnionType)

    def default(self):
        optional = len(self.members) == 2 and isinstance(self.members[1], NoneStorage)
        return None if optional else self.members[0].default()

    def _member_for(self, value) -> int:
        refusal: Exception = TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for index, member in enumerate(self.members):
            if member.fits(type(value)):
                try:
                    member.validate(value)
                    return index
                except Exception as error:
                    refusal = error
        raise refusal

    def has(self, node, name: str) -> bool:
        return any(member.has(node, f"{name}.{index}") for index, member in enumerate(self.members))

    def write(self, node, name: str, value) -> None:
        index = self._member_for(value)
        self.validate(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self.members[index].write(node, f"{name}.{index}", value)

    def read(self, node, name: str):
        for index, member in enumerate(self.members):
            if member.has(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index, member in enumerate(self.members):
                member.remove(node, f"{name}.{index}")


KINDS = (
    BoolStorage,
    NumberStorage,
    TextStorage,
    EnumStorage,
    NodeStorage,
    NoneStorage,
    RangeStorage,
    ListStorage,
    UnionStorage,
)


def split_annotations(datatype) -> tuple[object, list]:
    """Return the bare type and its annotations."""
    if typing.get_origin(datatype) is typing.Annotated:
        return typing.get_args(datatype)[0], list(datatype.__metadata__)
    return datatype, []


def storage_for(datatype, validators: list | None = None) -> Storage:
    """Return the storage of a type, annotated or not.

    Raises
    ------
    TypeError
        If values of the type cannot be kept.
    """
    from .parameter_types import Validator

    bare, annotations = split_annotations(datatype)
    if validators is None:
        validators = [each for each in annotations if isinstance(each, Validator)]
    for kind in KINDS:
        if kind.fits(bare):
            return kind(bare, validators)
    raise TypeError(
        f"Unable to create serializer for type: {bare} (parameter packs, tuples and dictionaries are not stood in)"
    )
