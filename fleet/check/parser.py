"""Lua 5.5 source to a syntax tree: the statement half of the grammar (reference manual, sections 3.3 and 9)."""

from __future__ import annotations

from fleet.check import nodes
from fleet.check.expressions import ExpressionParser
from fleet.check.lexer import EOF, NAME, LuaSyntaxError, tokenize
from fleet.check.nodes import Expression, Index, MethodCall, Name, Statement
from fleet.check.scope import LocalVariable

_BLOCK_END = frozenset({EOF, "end", "else", "elseif", "until"})
_CALLS = (nodes.Call, MethodCall)


def parse(text: str) -> nodes.Chunk:
    """Parse a chunk of Lua 5.5 and resolve its names.

    Raises LuaSyntaxError (1-based line and column, message in Lua's wording, hint) for what `load` would refuse.
    Not found here: functions that need more than Lua's 255 registers.
    """
    parser = Parser(tokenize(text))
    try:
        return parser.chunk()
    except RecursionError:
        line, column = parser.position()
        raise LuaSyntaxError("nested too deeply", line, column, "split it up") from None


class Parser(ExpressionParser):
    """One parse of one chunk."""

    def chunk(self) -> nodes.Chunk:
        """Parse the whole text."""
        body = self.block()
        if self.kind != EOF:
            hint = "one 'end' too many, or a block closed too early" if self.kind == "end" else ""
            self.fail("<eof> expected", hint)
        self.scopes.finish()
        scopes = self.scopes
        uses = [] if scopes.environment.values else scopes.globals
        return nodes.Chunk(1, 1, body, scopes.block, uses, scopes.locals)

    def block(self) -> list[Statement]:
        """Parse statements up to what ends a block; `return` has to be the last one."""
        body: list[Statement] = []
        while self.kind not in _BLOCK_END:
            if self.kind == "return":
                body.append(self._return())
                break
            self._statement(body)
        return body

    def _scoped_block(self, is_loop: bool = False) -> list[Statement]:
        self.scopes.open_block(is_loop)
        body = self.block()
        self.scopes.close_block()
        return body

    def _statement(self, body: list[Statement]) -> None:
        """Parse one statement and append it (none for `;`, several for a run of labels)."""
        self.enter()
        kind = self.kind
        if kind == ";":
            self.advance()
        elif kind == "::":
            self._labels(body)
        elif kind == NAME and self._values[self._at] == "global" and self.peek() in (NAME, "<", "*", "function"):
            body.append(self._global())
        elif kind == NAME or kind == "(":
            body.append(self._assignment_or_call())
        else:
            parse_statement = _STATEMENTS.get(kind)
            if parse_statement is None:
                self.fail("unexpected symbol", self._foreign())
            body.append(parse_statement(self))
        self._depth -= 1

    # Control

    def _if(self) -> Statement:
        line, column = self.position()
        branches: list[nodes.Branch] = []
        while not branches or self.kind == "elseif":
            at_line, at_column = self.position()
            self.advance()
            condition = self.expression()
            self.expect("then")
            branches.append(nodes.Branch(at_line, at_column, condition, self._scoped_block()))
        if self.kind == "else":
            at_line, at_column = self.position()
            self.advance()
            branches.append(nodes.Branch(at_line, at_column, None, self._scoped_block()))
        self.expect_closing("end", "if", line)
        return nodes.If(line, column, branches)

    def _while(self) -> Statement:
        line, column = self.position()
        self.advance()
        condition = self.expression()
        self.expect("do")
        body = self._scoped_block(is_loop=True)
        self.expect_closing("end", "while", line)
        return nodes.While(line, column, condition, body)

    def _do(self) -> Statement:
        line, column = self.position()
        self.advance()
        body = self._scoped_block()
        self.expect_closing("end", "do", line)
        return nodes.Do(line, column, body)

    def _repeat(self) -> Statement:
        line, column = self.position()
        self.advance()
        # Two blocks, as in Lua: a break leaves the outer one, the condition sees the locals of the inner one.
        self.scopes.open_block(is_loop=True)
        self.scopes.open_block()
        body = self.block()
        self.expect_closing("until", "repeat", line)
        condition = self.expression()
        self.scopes.close_block()
        self.scopes.close_block()
        return nodes.Repeat(line, column, body, condition)

    def _for(self) -> Statement:
        line, column = self.position()
        self.advance()
        at_line, at_column = self.position()
        first = LocalVariable(self.expect_name(), at_line, at_column, "const", [None])
        self.scopes.open_block(is_loop=True)
        if self.kind == "=":
            statement = self._numeric_for(line, column, first)
        elif self.kind == "," or self.kind == "in":
            statement = self._generic_for(line, column, first)
        else:
            self.fail("'=' or 'in' expected")
        self.expect_closing("end", "for", line)
        self.scopes.close_block()
        return statement

    def _numeric_for(self, line: int, column: int, variable: LocalVariable) -> Statement:
        self.advance()
        start = self.expression()
        self.expect(",")
        stop = self.expression()
        step = self.expression() if self.accept(",") else None
        self._loop_state(2)
        return nodes.NumericFor(line, column, variable, start, stop, step, self._for_body([variable]))

    def _generic_for(self, line: int, column: int, variable: LocalVariable) -> Statement:
        variables = [variable]
        while self.accept(","):
            at_line, at_column = self.position()
            variables.append(LocalVariable(self.expect_name(), at_line, at_column, values=[None]))
        self.expect("in")
        values = self.expressions()
        self._loop_state(3)
        return nodes.GenericFor(line, column, variables, values, self._for_body(variables))

    def _loop_state(self, count: int) -> None:
        """Take up the hidden variables in which Lua keeps the state of a loop: they count towards the limits."""
        self.scopes.function.active += ["(for state)"] * count

    def _for_body(self, variables: list[LocalVariable]) -> list[Statement]:
        self.expect("do")
        self.scopes.open_block()
        for variable in variables:
            self.scopes.declare_local(variable)
        body = self.block()
        self.scopes.close_block()
        return body

    def _return(self) -> Statement:
        line, column = self.position()
        self.enter()
        self.advance()
        values = [] if self.kind in _BLOCK_END or self.kind == ";" else self.expressions()
        self.accept(";")
        self.leave()
        return nodes.Return(line, column, values)

    def _break(self) -> Statement:
        line, column = self.position()
        if not self.scopes.inside_loop():
            self.fail("break outside a loop", "to leave a function, use return")
        self.advance()
        return nodes.Break(line, column)

    def _goto(self) -> Statement:
        line, column = self.position()
        self.advance()
        goto = nodes.Goto(line, column, self.expect_name())
        self.scopes.add_goto(goto)
        return goto

    def _labels(self, body: list[Statement]) -> None:
        line, column = self.position()
        self.advance()
        name = self.expect_name()
        self.expect("::")
        following: list[Statement] = []
        while self.kind == ";" or self.kind == "::":
            self._statement(following)
        self.scopes.check_new_label(name, line, column)
        self.scopes.add_label(name, line, column, self.kind in _BLOCK_END and self.kind != "until")
        body.append(nodes.Label(line, column, name))
        body += following

    # Declarations

    def _attribute(self, default: str = "") -> str:
        if not self.accept("<"):
            return default
        line, column = self.position()
        name = self.expect_name()
        if name not in ("const", "close"):
            raise LuaSyntaxError(f"unknown attribute '{name}'", line, column, "Lua has <const> and <close>")
        self.expect(">")
        return name

    def _local(self) -> Statement:
        line, column = self.position()
        self.advance()
        if self.accept("function"):
            return self._local_function(line, column)
        default = self._attribute()
        variables: list[LocalVariable] = []
        while not variables or self.accept(","):
            at_line, at_column = self.position()
            name = self.expect_name()
            attribute = self._attribute(default)
            if attribute == "close" and any(variable.attribute == "close" for variable in variables):
                raise LuaSyntaxError("multiple to-be-closed variables in local list", at_line, at_column)
            variables.append(LocalVariable(name, at_line, at_column, attribute))
        values = self.expressions() if self.accept("=") else []
        for index, variable in enumerate(variables):
            variable.values.append(_value_at(values, index) if values else nodes.Nil(line, column))
            self.scopes.declare_local(variable)
        return nodes.Local(line, column, variables, values)

    def _local_function(self, line: int, column: int) -> Statement:
        at_line, at_column = self.position()
        variable = LocalVariable(self.expect_name(), at_line, at_column, is_function=True)
        self.scopes.declare_local(variable)
        function = self.function_body(line, column)
        variable.values.append(function)
        return nodes.LocalFunction(line, column, variable, function)

    def _global(self) -> Statement:
        line, column = self.position()
        self.advance()
        if self.accept("function"):
            name = self._declared_name()
            self.scopes.declare_global(name, "", name.line, name.column)
            self.scopes.use(name, "write")
            return nodes.GlobalFunction(line, column, name, self.function_body(line, column))
        default = self._global_attribute("")
        if self.accept("*"):
            self.scopes.declare_global(None, default, line, column)
            return nodes.GlobalDeclaration(line, column, [], [])
        names: list[tuple[Name, str]] = []
        while not names or self.accept(","):
            names.append((self._declared_name(), self._global_attribute(default)))
        values = self.expressions() if self.accept("=") else []
        if values:
            self.scopes.initialize_globals([name for name, _ in names])
        for name, attribute in names:
            self.scopes.declare_global(name, attribute, name.line, name.column)
        return nodes.GlobalDeclaration(line, column, [name for name, _ in names], values)

    def _declared_name(self) -> Name:
        line, column = self.position()
        return Name(line, column, self.expect_name())

    def _global_attribute(self, default: str) -> str:
        line, column = self.position()
        attribute = self._attribute(default)
        if attribute == "close":
            raise LuaSyntaxError("global variables cannot be to-be-closed", line, column)
        return attribute

    def _function(self) -> Statement:
        line, column = self.position()
        self.advance()
        at_line, at_column = self.position()
        target: Expression = Name(at_line, at_column, self.expect_name())
        is_method = False
        while self.kind in (".", ":") and not is_method:
            is_method = self.kind == ":"
            if isinstance(target, Name):
                self.scopes.use(target, "read")
            self.advance()
            key_line, key_column = self.position()
            key = nodes.String(key_line, key_column, self.expect_name())
            target = Index(at_line, at_column, target, key)
        function = self.function_body(line, column, is_method)
        self._assign(target, function)
        return nodes.FunctionStatement(line, column, target, function)

    # Assignments and calls

    def _assignment_or_call(self) -> Statement:
        line, column = self.position()
        first = self.target_or_call()
        if self.kind != "=" and self.kind != ",":
            if isinstance(first, _CALLS):
                return nodes.CallStatement(line, column, first)
            self._fail_statement(first)
        targets = [first]
        self._check_target(first)
        while self.accept(","):
            self.enter()
            target = self.target_or_call()
            self._check_target(target)
            targets.append(target)
        self._depth -= len(targets) - 1
        self.expect("=")
        values = self.expressions()
        for index, target in enumerate(targets):
            self._assign(target, _value_at(values, index))
        return nodes.Assignment(line, column, targets, values)

    def _check_target(self, target: Expression) -> None:
        if not isinstance(target, (Name, Index)):
            self.fail("syntax error", "only a variable or a table field can be assigned")

    def _assign(self, target: Expression, value: Expression | None) -> None:
        if isinstance(target, Name):
            self.scopes.use(target, "write")
            if target.local is not None:
                target.local.values.append(value)
            return
        root = target
        while isinstance(root, (Index, nodes.Paren)):
            root = root.object if isinstance(root, Index) else root.inner
        if isinstance(root, Name) and root.local is not None:
            root.local.fields_assigned = True

    def _fail_statement(self, found: Expression) -> None:
        """Name the mistake of an expression that stands where a statement should."""
        word = found.name if isinstance(found, Name) else ""
        following, after = self.kind, self.peek()
        hint = "an expression is not a statement: assign it or call it"
        if word == "continue":
            hint = "Lua has no continue: use 'goto continue' with '::continue::' at the end of the loop"
        elif following in ("+", "-", "*", "/", "..", "%", "|", "&") and after == "=":
            hint = f"Lua has no '{following}=': write x = x {following} …"
        elif following in ("+", "-") and after == following:
            hint = f"Lua has no '{following}{following}': write x = x {following} 1"
        elif following == NAME and word in ("let", "var", "const", "def", "func", "fn", "elif"):
            hint = {"def": "Lua writes 'function'", "func": "Lua writes 'function'", "fn": "Lua writes 'function'",
                    "elif": "Lua writes 'elseif'"}.get(word, "Lua writes 'local'")  # fmt: skip
        self.fail("syntax error", hint)


def _value_at(values: list[Expression], index: int) -> Expression | None:
    """What the variable at `index` gets: None where it is a further result of a call or is unknown."""
    return values[index] if index < len(values) else None


_STATEMENTS = {
    "if": Parser._if,
    "while": Parser._while,
    "do": Parser._do,
    "repeat": Parser._repeat,
    "for": Parser._for,
    "function": Parser._function,
    "local": Parser._local,
    "break": Parser._break,
    "goto": Parser._goto,
}
