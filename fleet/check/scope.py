"""Name resolution while a chunk is parsed: blocks, locals, 5.5's global declarations, labels and gotos.

It follows the compiler of Lua 5.5 (reference manual, sections 2.2 and 3.3.4), so that what is refused here is what
`load` refuses, and keeps what the rules need afterwards: every use of a global, and for each local the values it
was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from fleet.check.lexer import LuaSyntaxError
from fleet.check.nodes import Expression, Goto, Name

MAX_LOCALS = 200
MAX_UPVALUES = 255


@dataclass(slots=True, eq=False)
class LocalVariable:
    """A local, parameter or loop variable.

    `values` holds every expression that was ever assigned (None where it is not known, as for parameters);
    `fields_assigned` says that `name.x = …` occurs; `reads` counts the other uses of the name.
    """

    name: str
    line: int
    column: int
    attribute: str = ""
    values: list[Expression | None] = field(default_factory=list)
    reads: int = 0
    fields_assigned: bool = False
    is_function: bool = False

    @property
    def only_value(self) -> Expression | None:
        """The expression this variable always holds, or None if it is not known or there is more than one."""
        return self.values[0] if len(self.values) == 1 else None


@dataclass(slots=True, eq=False)
class DeclaredGlobal:
    """One name of a `global` declaration; `name` is None for `global *`."""

    name: str | None
    attribute: str


@dataclass(slots=True, eq=False)
class GlobalUse:
    """One occurrence of a global; `action` is "read", "write" or "declare".

    `declared` says that a `global` declaration in force names it (`global *` does not count).
    """

    node: Name
    action: str
    block: Block
    declared: bool = False


@dataclass(slots=True, eq=False)
class Block:
    """A lexical block; `first` is the number of variables of its function that were active when it began."""

    parent: Block | None
    function: FunctionScope
    is_loop: bool
    first: int
    names: dict[str, LocalVariable | DeclaredGlobal] = field(default_factory=dict)
    declared: list[DeclaredGlobal] = field(default_factory=list)
    locals: list[LocalVariable] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    gotos: list[tuple[Goto, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class FunctionScope:
    """A function being compiled: its active variables (innermost last) and the outer variables that it uses."""

    parent: FunctionScope | None
    is_vararg: bool
    line: int
    active: list[str] = field(default_factory=list)
    upvalues: set[object] = field(default_factory=set)

    def add_upvalue(self, variable: object, name: str) -> None:
        """Note the use of an outer variable; raises LuaSyntaxError beyond Lua's limit."""
        self.upvalues.add(variable)
        if len(self.upvalues) > MAX_UPVALUES:
            raise LuaSyntaxError(
                f"too many upvalues (the limit is {MAX_UPVALUES}) with '{name}'",
                self.line,
                1,
                "the function uses too many outer variables; put some of them into a table",
            )


class Scopes:
    """The stack of open functions and blocks of one chunk."""

    def __init__(self) -> None:
        self.globals: list[GlobalUse] = []
        self.locals: list[LocalVariable] = []
        self.environment = LocalVariable("_ENV", 1, 1)
        self.function = FunctionScope(None, is_vararg=True, line=1)
        self.block = Block(None, self.function, is_loop=False, first=0)

    # Blocks and functions

    def open_block(self, is_loop: bool = False) -> None:
        """Begin a block inside the current function."""
        self.block = Block(self.block, self.function, is_loop, len(self.function.active))

    def close_block(self) -> None:
        """End the innermost block; gotos that found no label there look further out."""
        block, outer = self.block, self.block.parent
        assert outer is not None
        del block.function.active[block.first :]
        if block.gotos:
            outer.gotos += [(goto, min(level, block.first)) for goto, level in block.gotos]
        self.block = outer

    def open_function(self, is_vararg: bool, line: int) -> None:
        """Begin a function with its own block."""
        self.function = FunctionScope(self.function, is_vararg, line)
        self.block = Block(self.block, self.function, is_loop=False, first=0)

    def close_function(self) -> None:
        """End the innermost function; raises LuaSyntaxError for a goto without label."""
        self.finish()
        outer = self.block.parent
        assert outer is not None
        self.block, self.function = outer, outer.function

    def finish(self) -> None:
        """End the main function, or check the current one: every goto must have met its label."""
        for goto, _ in self.block.gotos:
            raise LuaSyntaxError(
                f"no visible label '{goto.label}' for goto",
                goto.line,
                goto.column,
                f"put '::{goto.label}::' into the same block or one around it, in the same function",
            )

    def inside_loop(self) -> bool:
        """Whether a `break` here has a loop to leave."""
        block: Block | None = self.block
        while block is not None and block.function is self.function:
            if block.is_loop:
                return True
            block = block.parent
        return False

    # Variables

    def declare_local(self, variable: LocalVariable) -> None:
        """Make a local visible from here to the end of the block."""
        self._activate(variable.name, variable, variable.line, variable.column)
        self.block.locals.append(variable)
        self.locals.append(variable)

    def declare_global(self, name: Name | None, attribute: str, line: int, column: int) -> None:
        """Make a global declaration hold from here to the end of the block; `name` None is `global *`."""
        declared = DeclaredGlobal(name.name if name else None, attribute)
        self._activate(name.name if name else "*", declared, line, column)
        self.block.declared.append(declared)
        if name:
            self.globals.append(GlobalUse(name, "declare", self.block, declared=True))

    def initialize_globals(self, names: list[Name]) -> None:
        """Note the values that a `global a, b = …` declaration gives; constants get theirs here."""
        for name in names:
            self._use_environment(name)
            self.globals.append(GlobalUse(name, "write", self.block, declared=True))

    def _activate(self, name: str, variable: LocalVariable | DeclaredGlobal, line: int, column: int) -> None:
        active = self.function.active
        if isinstance(variable, LocalVariable) and len(active) >= MAX_LOCALS <= self._active_locals():
            raise LuaSyntaxError(
                f"too many local variables (the limit is {MAX_LOCALS} in a function)",
                line,
                column,
                "put some of them into a table or into a do … end block",
            )
        active.append(name)
        self.block.names[name] = variable

    def _active_locals(self) -> int:
        """How many variables take a place in the frame: all but the declared globals."""
        count = len(self.function.active)
        block: Block | None = self.block
        while block is not None and block.function is self.function:
            count -= len(block.declared)
            block = block.parent
        return count

    def use(self, node: Name, action: str) -> None:
        """Resolve a name that is read or written, and note the use.

        Raises LuaSyntaxError for an assignment to a constant and for a global that `global` declarations in force
        do not cover.
        """
        variable, collective = self._find(node.name)
        if isinstance(variable, LocalVariable):
            node.local = variable
            if action == "read":
                variable.reads += 1
            elif variable.attribute:
                _refuse_constant(node)
            return
        if variable is None and node.name == "_ENV":
            node.local = self.environment  # an upvalue of the main function, under no `global` rule
            return
        if variable is None and collective is False:
            raise LuaSyntaxError(
                f"variable '{node.name}' not declared",
                node.line,
                node.column,
                f"a 'global' declaration is in force: add 'global {node.name}' (or 'local'), or 'global *' for all",
            )
        rule = variable or collective
        if isinstance(rule, DeclaredGlobal) and action == "write" and rule.attribute:
            _refuse_constant(node)
        if self._use_environment(node):
            self.globals.append(GlobalUse(node, action, self.block, isinstance(variable, DeclaredGlobal)))

    def _use_environment(self, node: Name) -> bool:
        """Whether a global is looked up in the chunk's environment; else the chunk has its own `_ENV` table."""
        environment, _ = self._find("_ENV")
        if isinstance(environment, DeclaredGlobal):
            raise LuaSyntaxError(f"_ENV is global when accessing variable '{node.name}'", node.line, node.column)
        if environment is not None:
            return False
        function: FunctionScope | None = self.function
        while function is not None and "_ENV" not in function.upvalues:
            function.add_upvalue("_ENV", "_ENV")
            function = function.parent
        return True

    def _find(self, name: str) -> tuple[LocalVariable | DeclaredGlobal | None, DeclaredGlobal | bool]:
        """Look a name up from the inside out.

        Returns what declares it, and for a name that nothing declares the rule for such names: the innermost
        `global *`, True (all allowed, as at the start of a chunk) or False (only declared names are).
        """
        rule: DeclaredGlobal | bool = True
        block: Block | None = self.block
        crossed: list[FunctionScope] = []
        function = self.function
        while block is not None:
            if block.function is not function:
                crossed.append(function)
                function = block.function
            variable = block.names.get(name)
            if variable is not None and name != "*":
                if crossed and isinstance(variable, LocalVariable):
                    for function in crossed:
                        function.add_upvalue(variable, name)
                return variable, rule
            for declared in reversed(block.declared):
                if declared.name is not None:
                    rule = False if rule is True else rule
                elif isinstance(rule, bool):
                    rule = declared
            block = block.parent
        return None, rule

    # Labels

    def add_goto(self, goto: Goto) -> None:
        """Note a goto; a label that is already visible satisfies it at once."""
        if self._visible_label(goto.label) is None:
            self.block.gotos.append((goto, len(self.function.active)))

    def add_label(self, name: str, line: int, column: int, ends_block: bool) -> None:
        """Define a label; `ends_block` says that only void statements follow it in the block.

        Raises LuaSyntaxError for a visible label of that name and for a goto that jumps over a declaration.
        """
        active = self.function.active
        level = self.block.first if ends_block else len(active)
        self.block.labels[name] = line
        kept = []
        for goto, goto_level in self.block.gotos:
            if goto.label != name:
                kept.append((goto, goto_level))
            elif goto_level < level:
                raise LuaSyntaxError(
                    f"goto {name} at line {goto.line} jumps into the scope of '{active[goto_level]}'",
                    line,
                    column,
                    f"declare it before the goto, or in a do … end block that ends before '::{name}::'",
                )
        self.block.gotos = kept

    def check_new_label(self, name: str, line: int, column: int) -> None:
        """Raise LuaSyntaxError if a label of that name is visible here."""
        earlier = self._visible_label(name)
        if earlier is not None:
            raise LuaSyntaxError(f"label '{name}' already defined on line {earlier}", line, column)

    def _visible_label(self, name: str) -> int | None:
        block: Block | None = self.block
        while block is not None and block.function is self.function:
            if name in block.labels:
                return block.labels[name]
            block = block.parent
        return None


def _refuse_constant(node: Name) -> NoReturn:
    raise LuaSyntaxError(
        f"attempt to assign to const variable '{node.name}'",
        node.line,
        node.column,
        "loop variables, named varargs and <const> names cannot be assigned; use another local",
    )
