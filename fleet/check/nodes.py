"""The syntax tree of a Lua 5.5 chunk.

One class per construct of the grammar (Lua 5.5 reference manual, section 9). Every node carries the 1-based
`line` and `column` of its first token; `children` names the attributes that hold further nodes, so that `walk`
needs no knowledge of the single classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fleet.check.scope import Block as ScopeBlock
    from fleet.check.scope import GlobalUse, LocalVariable


@dataclass(slots=True, eq=False)
class Node:
    """Base of all nodes; compared by identity, so nodes can be keys of a dict."""

    line: int
    column: int

    children: ClassVar[tuple[str, ...]] = ()


class Expression(Node):
    """Something with a value."""

    __slots__ = ()


class Statement(Node):
    """Something that is executed."""

    __slots__ = ()


# Expressions


class Nil(Expression):
    """`nil`"""

    __slots__ = ()


class Vararg(Expression):
    """`...`"""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Boolean(Expression):
    """`true` or `false`"""

    value: bool


@dataclass(slots=True, eq=False)
class Number(Expression):
    """A numeral: `int` for an integer subtype, wrapped to 64 bits as Lua does, else `float`."""

    value: int | float


@dataclass(slots=True, eq=False)
class String(Expression):
    """A string with its escapes resolved; bytes that are not UTF-8 are surrogate escapes."""

    value: str


@dataclass(slots=True, eq=False)
class Name(Expression):
    """A variable; `local` is None for a global."""

    name: str
    local: LocalVariable | None = None


@dataclass(slots=True, eq=False)
class Index(Expression):
    """`object.key` or `object[key]`; `a.b` is the same as `a["b"]`."""

    object: Expression
    key: Expression

    children: ClassVar[tuple[str, ...]] = ("object", "key")


@dataclass(slots=True, eq=False)
class Call(Expression):
    """`function(arguments)`, also `f"x"` and `f{…}`."""

    function: Expression
    arguments: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("function", "arguments")


@dataclass(slots=True, eq=False)
class MethodCall(Expression):
    """`object:method(arguments)`; the position is the object's, `method` is a node with its own."""

    object: Expression
    method: String
    arguments: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("object", "method", "arguments")


@dataclass(slots=True, eq=False)
class Unary(Expression):
    """`-x`, `not x`, `#x`, `~x`"""

    operator: str
    operand: Expression

    children: ClassVar[tuple[str, ...]] = ("operand",)


@dataclass(slots=True, eq=False)
class Binary(Expression):
    """A binary operation, `and` and `or` included; the position is the operator's."""

    operator: str
    left: Expression
    right: Expression

    children: ClassVar[tuple[str, ...]] = ("left", "right")


@dataclass(slots=True, eq=False)
class Paren(Expression):
    """`(x)`: cuts a multiple result to one value."""

    inner: Expression

    children: ClassVar[tuple[str, ...]] = ("inner",)


@dataclass(slots=True, eq=False)
class Field(Node):
    """An item of a table constructor; `key` is None for a positional one."""

    key: Expression | None
    value: Expression

    children: ClassVar[tuple[str, ...]] = ("key", "value")


@dataclass(slots=True, eq=False)
class Table(Expression):
    """`{…}`"""

    fields: list[Field]

    children: ClassVar[tuple[str, ...]] = ("fields",)


@dataclass(slots=True, eq=False)
class Function(Expression):
    """`function (parameters) body end`; `vararg` is the variable of 5.5's `...name`, if it has one."""

    parameters: list[LocalVariable]
    is_vararg: bool
    vararg: LocalVariable | None
    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("body",)


# Statements


@dataclass(slots=True, eq=False)
class Local(Statement):
    """`local a <const>, b = x, y`"""

    variables: list[LocalVariable]
    values: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("values",)


@dataclass(slots=True, eq=False)
class LocalFunction(Statement):
    """`local function f() … end`"""

    variable: LocalVariable
    function: Function

    children: ClassVar[tuple[str, ...]] = ("function",)


@dataclass(slots=True, eq=False)
class GlobalDeclaration(Statement):
    """`global a, b <const> = x, y` and `global *`, which has no names."""

    names: list[Name]
    values: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("names", "values")


@dataclass(slots=True, eq=False)
class GlobalFunction(Statement):
    """`global function f() … end`"""

    name: Name
    function: Function

    children: ClassVar[tuple[str, ...]] = ("name", "function")


@dataclass(slots=True, eq=False)
class Assignment(Statement):
    """`a, b.c = x, y`"""

    targets: list[Expression]
    values: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("targets", "values")


@dataclass(slots=True, eq=False)
class FunctionStatement(Statement):
    """`function a.b.c() … end`; `a.b:c()` has the same target and `self` as its first parameter."""

    target: Expression
    function: Function

    children: ClassVar[tuple[str, ...]] = ("target", "function")


@dataclass(slots=True, eq=False)
class CallStatement(Statement):
    """A call whose results are dropped."""

    call: Expression

    children: ClassVar[tuple[str, ...]] = ("call",)


@dataclass(slots=True, eq=False)
class Do(Statement):
    """`do … end`"""

    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("body",)


@dataclass(slots=True, eq=False)
class While(Statement):
    """`while condition do … end`"""

    condition: Expression
    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("condition", "body")


@dataclass(slots=True, eq=False)
class Repeat(Statement):
    """`repeat … until condition`"""

    body: list[Statement]
    condition: Expression

    children: ClassVar[tuple[str, ...]] = ("body", "condition")


@dataclass(slots=True, eq=False)
class Branch(Node):
    """One arm of an `if`; `condition` is None for `else`."""

    condition: Expression | None
    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("condition", "body")


@dataclass(slots=True, eq=False)
class If(Statement):
    """`if … elseif … else … end`"""

    branches: list[Branch]

    children: ClassVar[tuple[str, ...]] = ("branches",)


@dataclass(slots=True, eq=False)
class NumericFor(Statement):
    """`for i = start, stop, step do … end`"""

    variable: LocalVariable
    start: Expression
    stop: Expression
    step: Expression | None
    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("start", "stop", "step", "body")


@dataclass(slots=True, eq=False)
class GenericFor(Statement):
    """`for k, v in values do … end`"""

    variables: list[LocalVariable]
    values: list[Expression]
    body: list[Statement]

    children: ClassVar[tuple[str, ...]] = ("values", "body")


@dataclass(slots=True, eq=False)
class Return(Statement):
    """`return x, y`"""

    values: list[Expression]

    children: ClassVar[tuple[str, ...]] = ("values",)


class Break(Statement):
    """`break`"""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Goto(Statement):
    """`goto label`"""

    label: str


@dataclass(slots=True, eq=False)
class Label(Statement):
    """`::label::`"""

    label: str


@dataclass(slots=True, eq=False)
class Chunk(Node):
    """A whole file: its statements and what name resolution found on the way.

    `globals` is empty if the chunk assigns `_ENV`: its free names are then fields of a table of its own.
    """

    body: list[Statement]
    block: ScopeBlock
    globals: list[GlobalUse] = field(default_factory=list)
    locals: list[LocalVariable] = field(default_factory=list)

    children: ClassVar[tuple[str, ...]] = ("body",)


def walk(root: Node) -> Iterator[Node]:
    """Yield `root` and all nodes below it in source order (a parent before its children).

    It keeps its own stack: `1+1+…` and `a:b():c()…` make trees far deeper than Python's recursion limit.
    """
    stack: list[Node] = [root]
    pop, push = stack.pop, stack.append
    while stack:
        node = pop()
        yield node
        for name in reversed(node.children):
            child = getattr(node, name)
            if type(child) is list:
                stack.extend(reversed(child))
            elif child is not None:
                push(child)
