"""What expressions are known to hold before anything runs: modules, host objects, libraries, texts.

A deliberately small inference: it follows locals that are assigned once, `require` of a literal name, members of
modules and the results that `fleet.check.api` gives them. Whatever it cannot follow is unknown (None), and the
rules keep silent about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from fleet.check import nodes
from fleet.check.api import MODULES, TYPES
from fleet.check.nodes import Expression
from fleet.check.scope import LocalVariable
from fleet.check.unit import Unit


@dataclass(frozen=True, slots=True)
class Options:
    """Options that an Executor or Spawner carries: the literal ones, and whether there may be others."""

    known: dict[str, Expression] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """A module, a table of one, or a host object; `type` is a key of `api.TYPES`."""

    type: str
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Library:
    """What an imported library returns; `id` is its entry."""

    id: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string that is known."""

    value: str


Value: TypeAlias = Typed | Library | Text


@dataclass(frozen=True, slots=True)
class Callee:
    """The function of a call: `member` of a value of `type`, with the options that the value carries."""

    type: str
    member: str
    options: Options


class Values:
    """The known values of one unit, worked out on demand."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._known: dict[Expression, Value | None] = {}
        self._variables: dict[LocalVariable, Value | None] = {}

    def value(self, expression: Expression | None) -> Value | None:
        """What an expression holds, or None if that is not known."""
        if expression is None:
            return None
        if expression not in self._known:
            try:
                self._known[expression] = self._evaluate(expression)
            except RecursionError:  # a chain of thousands of calls or concatenations
                return None
        return self._known[expression]

    def text(self, expression: Expression | None) -> str | None:
        """The string that an expression holds, or None."""
        value = self.value(expression)
        return value.value if isinstance(value, Text) else None

    def literal(self, expression: Expression) -> Expression:
        """The expression behind parentheses and behind locals that are assigned once."""
        for _ in range(20):  # `local a = b` chains; a loop of them cannot be written, a long one is not worth it
            if isinstance(expression, nodes.Paren):
                expression = expression.inner
            elif isinstance(expression, nodes.Name) and expression.local and expression.local.only_value:
                expression = expression.local.only_value
            else:
                break
        return expression

    def callee(self, call: nodes.Call | nodes.MethodCall) -> Callee | None:
        """Which known function a call calls, or None."""
        if isinstance(call, nodes.MethodCall):
            owner, member = self.value(call.object), call.method.value
        else:
            function = self.literal(call.function)
            if not isinstance(function, nodes.Index) or not isinstance(function.key, nodes.String):
                return None
            owner, member = self.value(function.object), function.key.value
        if not isinstance(owner, Typed) or member not in TYPES[owner.type].members:
            return None
        if TYPES[owner.type].is_object != isinstance(call, nodes.MethodCall):
            return None  # called with the wrong one of '.' and ':'; the rule about members says so
        return Callee(owner.type, member, owner.options)

    def _evaluate(self, expression: Expression) -> Value | None:
        match expression:
            case nodes.String():
                return Text(expression.value)
            case nodes.Paren():
                return self.value(expression.inner)
            case nodes.Name(local=None):
                return self._global(expression.name)
            case nodes.Name(local=LocalVariable() as variable):
                return self._variable(variable)
            case nodes.Binary(operator=".."):
                left, right = self.text(expression.left), self.text(expression.right)
                return Text(left + right) if left is not None and right is not None else None
            case nodes.Index(key=nodes.String() as key):
                return self._field(expression.object, key.value)
            case nodes.Call() | nodes.MethodCall():
                return self._result(expression)
        return None

    def _global(self, name: str) -> Value | None:
        if name in self._unit.assigned_globals:
            return None
        return self._module(name) if name in self._unit.known_globals else None

    def _module(self, name: str) -> Value | None:
        if name in self._unit.entry.imports:  # an alias hides a module of that name
            return Library(self._unit.entry.imports[name])
        return Typed(name) if name in MODULES else None

    def _variable(self, variable: LocalVariable) -> Value | None:
        """What a local holds: the value it is given once, or the host object type that all its values share."""
        if variable not in self._variables:
            self._variables[variable] = None
            self._variables[variable] = self._common_value(variable)
        return self._variables[variable]

    def _common_value(self, variable: LocalVariable) -> Value | None:
        first, *others = variable.values
        value = self.value(first)
        if not others or not isinstance(value, Typed):
            return value if not others else None
        # `spawner = spawner:with_name(n)`: suppose that it is of one type all the time, and see whether that holds.
        before = self._known.copy()
        shared = self._variables[variable] = Typed(value.type, Options(open=True))
        found = [self.value(other) for other in others]
        same = (
            self._is_misspelt_method(other, shared) or (isinstance(value, Typed) and value.type == shared.type)
            for other, value in zip(others, found, strict=True)
        )
        if all(same):
            return shared
        self._known = before
        return None

    def _is_misspelt_method(self, call: Expression | None, owner: Typed) -> bool:
        """`spawner = spawner:with_nam(n)`: no reason to think that the variable has become something else."""
        return (
            isinstance(call, nodes.MethodCall)
            and self.value(call.object) == owner
            and call.method.value not in TYPES[owner.type].members
        )

    def _field(self, owner: Expression, name: str) -> Value | None:
        value = self.value(owner)
        if isinstance(value, Typed):
            inner = TYPES[value.type].members.get(name, "")
            # `process.event` is a table; `funcs.new` is a function, whose result only a call has.
            return Typed(inner) if inner and not TYPES[inner].is_object else None
        literal = self.literal(owner)
        if isinstance(literal, nodes.Table) and not self._is_changed(owner):
            for item in reversed(literal.fields):
                if isinstance(item.key, nodes.String) and item.key.value == name:
                    return self.value(item.value)
        return None

    @staticmethod
    def _is_changed(owner: Expression) -> bool:
        return isinstance(owner, nodes.Name) and owner.local is not None and owner.local.fields_assigned

    def _result(self, call: nodes.Call | nodes.MethodCall) -> Value | None:
        function = call.function if isinstance(call, nodes.Call) else None
        if isinstance(function, nodes.Name) and function.local is None and function.name == "require":
            name = self.text(call.arguments[0]) if call.arguments else None
            return self._module(name) if name in self._unit.requirable else None
        callee = self.callee(call)
        if callee is None:
            return None
        result = TYPES[callee.type].members[callee.member]
        if not result:
            return None
        return Typed(result, self._options(callee, call) if result in ("Executor", "Spawner") else Options())

    def _options(self, callee: Callee, call: nodes.Call | nodes.MethodCall) -> Options:
        """Options of the Executor or Spawner that a call of `with_options`, `with_name`, … gives."""
        if callee.member != "with_options":
            return callee.options
        given = self.given_options(call)
        if callee.type == "Executor":  # funcs: later options replace earlier ones; process: they are merged
            return given
        return replace(given, known=callee.options.known | given.known, open=callee.options.open or given.open)

    def given_options(self, call: nodes.Call | nodes.MethodCall) -> Options:
        """The options in the argument of a `with_options` call."""
        argument = call.arguments[0] if call.arguments else None
        literal = self.literal(argument) if argument is not None else None
        if not isinstance(literal, nodes.Table):
            return Options(open=True)
        known: dict[str, Expression] = {}
        # A table that a local holds is open once it is used for anything else: others may have added to it.
        is_open = isinstance(argument, nodes.Name) and argument.local is not None and argument.local.reads > 1
        for item in literal.fields:
            key = self.text(item.key)
            if key is None:
                is_open = True
            else:
                known[key] = item.value
        return Options(known, is_open)
