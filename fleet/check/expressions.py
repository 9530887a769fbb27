"""Recursive descent over Lua 5.5 expressions (reference manual, sections 3.4 and 9)."""

from __future__ import annotations

from typing import NoReturn

from fleet.check import nodes
from fleet.check.lexer import EOF, NAME, NUMBER, STRING, LuaSyntaxError, Tokens
from fleet.check.nodes import Expression, Name, Statement
from fleet.check.scope import LocalVariable, Scopes

MAX_DEPTH = 198
"""How deep constructs may nest. Lua's own limit is 200 C calls, of which `load` itself takes two."""

# Left and right priority: a right one that is lower makes the operator right-associative.
_BINARY = {
    "or": (1, 1), "and": (2, 2),
    "<": (3, 3), ">": (3, 3), "<=": (3, 3), ">=": (3, 3), "~=": (3, 3), "==": (3, 3),
    "|": (4, 4), "~": (5, 5), "&": (6, 6), "<<": (7, 7), ">>": (7, 7),
    "..": (9, 8), "+": (10, 10), "-": (10, 10),
    "*": (11, 11), "/": (11, 11), "//": (11, 11), "%": (11, 11), "^": (14, 13),
}  # fmt: skip
_UNARY = frozenset({"not", "-", "#", "~"})
_UNARY_PRIORITY = 12

# What follows a complete statement or expression when somebody writes another language.
_FOREIGN = {
    "&": "Lua writes 'and'",
    "|": "Lua writes 'or'",
    ":": "Lua has no type annotations or 'a ? b : c'",
    "=": "to compare, write '=='",
}


class ExpressionParser:
    """Token cursor, errors, and the expression half of the grammar; `Parser` adds statements."""

    def __init__(self, tokens: Tokens) -> None:
        self._kinds, self._values = tokens.kinds, tokens.values
        self._lines, self._columns = tokens.lines, tokens.columns
        self._at = 0
        self.kind = tokens.kinds[0]
        self._depth = 0
        self.scopes = Scopes()

    def block(self) -> list[Statement]:
        """Parse statements up to what ends a block; the statement parser provides it."""
        raise NotImplementedError

    # Cursor

    def advance(self) -> str | int | float:
        """Step over the current token and return its value."""
        at = self._at
        self._at = at + 1
        self.kind = self._kinds[at + 1] if self.kind != EOF else EOF
        return self._values[at]

    def position(self) -> tuple[int, int]:
        """Line and column of the current token."""
        return self._lines[self._at], self._columns[self._at]

    def peek(self) -> str:
        """Kind of the token after the current one."""
        return self._kinds[self._at + 1] if self.kind != EOF else EOF

    def accept(self, kind: str) -> bool:
        """Step over the current token if it is `kind`."""
        if self.kind == kind:
            self.advance()
            return True
        return False

    def expect(self, kind: str) -> None:
        """Step over a token that has to be there; raises LuaSyntaxError if it is not."""
        if self.kind != kind:
            self.fail(f"'{kind}' expected", self._foreign())
        self.advance()

    def expect_closing(self, kind: str, opening: str, line: int) -> None:
        """Step over the end of a construct that `opening` began on `line`."""
        if self.kind == kind:
            self.advance()
        elif line == self._lines[self._at]:
            self.expect(kind)
        else:
            self.fail(f"'{kind}' expected (to close '{opening}' at line {line})", self._foreign())

    def expect_name(self) -> str:
        """Step over a name and return it."""
        if self.kind != NAME:
            reserved = self.kind.isalpha()
            self.fail("<name> expected", f"'{self.kind}' is a reserved word" if reserved else "")
        return str(self.advance())

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise LuaSyntaxError at the current token, in Lua's own wording."""
        line, column = self.position()
        value = self._values[self._at]
        near = f'"{value}"' if self.kind == STRING else f"'{value}'" if self.kind != EOF else EOF
        raise LuaSyntaxError(f"{message} near {near if len(near) < 40 else near[:36] + '…'}", line, column, hint)

    def _foreign(self) -> str:
        return _FOREIGN.get(self.kind, "")

    def enter(self) -> None:
        """Count one level of nesting; raises LuaSyntaxError where Lua would run out of C stack."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail("nested too deeply", "split it up: Lua allows about 200 levels of nesting or of '..' in a row")

    def leave(self) -> None:
        """Undo `enter`."""
        self._depth -= 1

    # Expressions

    def expression(self, limit: int = 0) -> Expression:
        """Parse an expression whose binary operators bind tighter than `limit`."""
        self.enter()
        if self.kind in _UNARY:
            line, column = self.position()
            operator = str(self.advance())
            left: Expression = nodes.Unary(line, column, operator, self.expression(_UNARY_PRIORITY))
        else:
            left = self._simple()
        while True:
            priority = _BINARY.get(self.kind)
            if priority is None or priority[0] <= limit:
                break
            line, column = self.position()
            operator = str(self.advance())
            left = nodes.Binary(line, column, operator, left, self.expression(priority[1]))
        self._depth -= 1
        return left

    def expressions(self) -> list[Expression]:
        """Parse one or more expressions separated by commas."""
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        return found

    def _simple(self) -> Expression:
        kind = self.kind
        if kind == NAME or kind == "(":
            return self.suffixed()
        line, column = self.position()
        if kind == STRING:
            return nodes.String(line, column, str(self.advance()))
        if kind == NUMBER:
            value = self.advance()
            assert not isinstance(value, str)
            return nodes.Number(line, column, value)
        if kind == "{":
            return self._table()
        if kind == "function":
            self.advance()
            return self.function_body(line, column)
        if kind == "true" or kind == "false":
            self.advance()
            return nodes.Boolean(line, column, kind == "true")
        if kind == "nil":
            self.advance()
            return nodes.Nil(line, column)
        if kind == "...":
            if not self.scopes.function.is_vararg:
                self.fail("cannot use '...' outside a vararg function", "add '...' to the function's parameters")
            self.advance()
            return nodes.Vararg(line, column)
        self.fail("unexpected symbol", self._foreign())

    def _primary(self) -> Expression:
        line, column = self.position()
        if self.kind == NAME:
            return nodes.Name(line, column, str(self.advance()))
        if self.kind == "(":
            self.advance()
            inner = self.expression()
            self.expect_closing(")", "(", line)
            return nodes.Paren(line, column, inner)
        self.fail("unexpected symbol", self._foreign())

    def suffixed(self) -> Expression:
        """Parse a name or parenthesis with its `.x`, `[x]`, `:m()` and call suffixes."""
        found = self.target_or_call()
        if type(found) is Name:
            self.scopes.use(found, "read")
        return found

    def target_or_call(self) -> Expression:
        """Like `suffixed`, but a bare name is not yet resolved: it may be about to be assigned."""
        found = self._primary()
        while True:
            kind = self.kind
            if kind == ".":
                self._resolve(found)
                self.advance()
                key_line, key_column = self.position()
                key = nodes.String(key_line, key_column, self.expect_name())
                found = nodes.Index(found.line, found.column, found, key)
            elif kind == "[":
                self._resolve(found)
                self.advance()
                index = self.expression()
                self.expect("]")
                found = nodes.Index(found.line, found.column, found, index)
            elif kind == ":":
                self._resolve(found)
                self.advance()
                key_line, key_column = self.position()
                method = nodes.String(key_line, key_column, self.expect_name())
                found = nodes.MethodCall(found.line, found.column, found, method, self._arguments())
            elif kind == "(" or kind == STRING or kind == "{":
                self._resolve(found)
                found = nodes.Call(found.line, found.column, found, self._arguments())
            else:
                return found

    def _resolve(self, found: Expression) -> None:
        if type(found) is Name:
            self.scopes.use(found, "read")

    def _arguments(self) -> list[Expression]:
        line, column = self.position()
        if self.kind == STRING:
            return [nodes.String(line, column, str(self.advance()))]
        if self.kind == "{":
            return [self._table()]
        if self.kind != "(":
            self.fail("function arguments expected", "a method can only be called, x:name(…); a field is x.name")
        self.advance()
        arguments = [] if self.kind == ")" else self.expressions()
        self.expect_closing(")", "(", line)
        return arguments

    def _table(self) -> nodes.Table:
        line, column = self.position()
        self.expect("{")
        fields: list[nodes.Field] = []
        while self.kind != "}":
            at_line, at_column = self.position()
            key: Expression | None = None
            if self.kind == "[":
                self.advance()
                key = self.expression()
                self.expect("]")
                self.expect("=")
            elif self.kind == NAME and self.peek() == "=":
                key = nodes.String(at_line, at_column, str(self.advance()))
                self.advance()
            fields.append(nodes.Field(at_line, at_column, key, self.expression()))
            if not (self.accept(",") or self.accept(";")):
                break
        self.expect_closing("}", "{", line)
        return nodes.Table(line, column, fields)

    def function_body(self, line: int, column: int, is_method: bool = False) -> nodes.Function:
        """Parse from the parameter list to `end`; the position is that of the word `function`."""
        self.scopes.open_function(is_vararg=False, line=line)
        parameters = [LocalVariable("self", line, column, values=[None])] if is_method else []
        vararg: LocalVariable | None = None
        self.expect("(")
        while self.kind != ")":
            at_line, at_column = self.position()
            if self.accept("..."):
                self.scopes.function.is_vararg = True
                if self.kind == NAME:
                    at_line, at_column = self.position()
                    vararg = LocalVariable(str(self.advance()), at_line, at_column, "const", [None])
                break
            parameters.append(LocalVariable(self.expect_name(), at_line, at_column, values=[None]))
            if not self.accept(","):
                break
            if self.kind == ")":
                self.fail("<name> expected")
        for variable in [*parameters, vararg] if vararg else parameters:
            self.scopes.declare_local(variable)
        self.expect(")")
        is_vararg = self.scopes.function.is_vararg
        body = self.block()
        self.expect_closing("end", "function", line)
        self.scopes.close_function()
        return nodes.Function(line, column, parameters, is_vararg, vararg, body)
