"""The data in a pickle, read without executing anything.

A pickle is a program for a small stack machine, which can call any function of Python. Here the program is interpreted
by own code that knows only data: numbers, texts, lists, dictionaries. A call becomes a `Call`, a description that is
never carried out, and only the calls that PyTorch, Lightning and NumPy store their data with are accepted. Unlike
`torch.load` with `weights_only`, this needs no PyTorch and reads the NumPy arrays in Lightning's hyperparameters.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ThyroidSynthLib.common.errors import ModelError

# Modules and names in them; names that end with * stand for all that begin so.
_ALLOWED = {
    "collections": ("OrderedDict", "defaultdict"),
    "torch._utils": ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"),
    "torch": (
        *("FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage"),
        *("ShortStorage", "CharStorage", "ByteStorage", "BoolStorage", "Size", "device"),
        *("float16", "float32", "float64", "bfloat16", "int32", "int64", "bool"),
    ),
    "torch.storage": ("UntypedStorage", "TypedStorage"),
    "numpy": ("dtype", "ndarray"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "_codecs": ("encode",),
    "__builtin__": ("set", "frozenset", "bytearray"),
    "builtins": ("set", "frozenset", "bytearray"),
    "argparse": ("Namespace",),
    "pathlib": ("Path", "PosixPath", "WindowsPath", "PurePosixPath"),
    "pathlib._local": ("Path", "PosixPath", "WindowsPath", "PurePosixPath"),
    "pytorch_lightning.utilities.parsing": ("AttributeDict",),
    "lightning.pytorch.utilities.parsing": ("AttributeDict",),
    "lightning.fabric.utilities.data": ("AttributeDict",),
    "lightning_fabric.utilities.data": ("AttributeDict",),
}
_LARGEST_PICKLE = 256 << 20


@dataclass(frozen=True)
class Name:
    """The name of a function or class in the pickle."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Stored:
    """A reference to data beside the pickle, such as ("storage", Name, key, location, length)."""

    reference: Any


@dataclass(eq=False)
class Call:
    """A call that was not carried out: its function or class, its arguments, and the state set afterwards."""

    function: Name
    arguments: tuple[Any, ...]
    state: Any = None


class Fault(ValueError):
    """The pickle is damaged, or holds more than data."""


def data_of_pickle(content: bytes, path: object) -> Any:
    """Return the data in a pickle.

    Parameters
    ----------
    path : path-like
        The file that holds it, for messages.

    Raises
    ------
    ModelError
        It is damaged, or refers to a function or class that is not known to hold only data.
    """
    if len(content) > _LARGEST_PICKLE:
        raise ModelError(f"{path} holds {len(content) / 1e6:.0f} MB beside its tensors, which is no model.")
    machine = _Machine(path)
    try:
        for operation, argument, _ in pickletools.genops(content):
            machine.step(operation.name, argument)
            if operation.name == "STOP":
                return machine.pop()
    except ModelError:
        raise
    except Exception as error:  # A damaged pickle can raise anything.
        raise ModelError(
            f"{path} is damaged or not a checkpoint of PyTorch and cannot be read. Copy or save it again."
        ) from error
    raise ModelError(f"{path} is cut short. Copy or save it again.")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, path: object) -> None:
        self._path = path
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def step(self, name: str, argument: Any) -> None:
        """Carry out one operation; `Fault` if it is unknown."""
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _VALUES:
            self._stack.append(argument)
        elif name in ("PROTO", "FRAME", "STOP"):
            pass
        elif name == "MARK":
            self._marks.append(self._stack)
            self._stack = []
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[int(argument)])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        else:
            raise Fault(f"operation {name}")

    def _items(self) -> list[Any]:
        """Return what lies above the last mark, and remove both."""
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _pop_mark(self, argument: Any) -> None:
        self._items()

    def _pop(self, argument: Any) -> None:
        self._stack.pop()

    def _duplicate(self, argument: Any) -> None:
        self._stack.append(self._stack[-1])

    def _append(self, argument: Any) -> None:
        item = self._stack.pop()
        _extend(self._stack[-1], [item])

    def _appends(self, argument: Any) -> None:
        items = self._items()
        _extend(self._stack[-1], items)

    def _set_item(self, argument: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _update(self._stack[-1], [key, value])

    def _set_items(self, argument: Any) -> None:
        items = self._items()
        _update(self._stack[-1], items)

    def _tuple(self, argument: Any) -> None:
        items = self._items()
        self._stack.append(tuple(items))

    def _short_tuple(self, count: int) -> None:
        items = self._stack[-count:]
        del self._stack[-count:]
        self._stack.append(tuple(items))

    def _list(self, argument: Any) -> None:
        items = self._items()
        self._stack.append(items)

    def _frozen_set(self, argument: Any) -> None:
        items = self._items()
        self._stack.append(frozenset(items))

    def _dictionary(self, argument: Any) -> None:
        items = self._items()
        found: dict[Any, Any] = {}
        _update(found, items)
        self._stack.append(found)

    def _named(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._checked(module, name))

    def _stack_named(self, argument: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(self._checked(module, name))

    def _checked(self, module: Any, name: Any) -> Name:
        if name not in _ALLOWED.get(module, ()):
            raise ModelError(
                f"{self._path} holds more than data: it refers to {module}.{name}. Nothing of it was executed. Import "
                "only checkpoints from a source that you trust, saved with save_weights_only."
            )
        return Name(module, name)

    def _reduce(self, argument: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(_described(function, arguments))

    def _build(self, argument: Any) -> None:
        state = self._stack.pop()
        if isinstance(self._stack[-1], Call):
            self._stack[-1].state = state
        # Of a dictionary it holds only the versions of PyTorch's modules.

    def _reference(self, argument: Any) -> None:
        self._stack.append(Stored(self._stack.pop()))


def _described(function: Any, arguments: Any) -> Any:
    """Return the data that a call stands for: a dictionary, bytes, or the call itself."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise Fault("a call of something else than a function")
    match function.name, arguments:
        case (("OrderedDict" | "AttributeDict" | "defaultdict"), _):
            return dict(arguments[0]) if arguments and isinstance(arguments[0], (list, dict)) else {}
        case "encode", (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
        case "set" | "frozenset", (list() as items,):
            return set(items)
    return Call(function, arguments)


def _extend(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, set):
        target.update(items)
    else:
        raise Fault("items of something else than a list")


def _update(target: Any, items: list[Any]) -> None:
    if isinstance(target, Call):  # A subclass of a dictionary.
        return
    if not isinstance(target, dict) or len(items) % 2:
        raise Fault("items of something else than a dictionary")
    target.update(zip(items[::2], items[1::2], strict=True))


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "POP": _Machine._pop,
    "POP_MARK": _Machine._pop_mark,
    "DUP": _Machine._duplicate,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "ADDITEMS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._short_tuple(1),
    "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3),
    "LIST": _Machine._list,
    "DICT": _Machine._dictionary,
    "FROZENSET": _Machine._frozen_set,
    "GLOBAL": _Machine._named,
    "STACK_GLOBAL": _Machine._stack_named,
    "REDUCE": _Machine._reduce,
    "NEWOBJ": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._reference,
}
