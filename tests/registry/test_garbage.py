"""Whatever a file holds, the answer is an application or an AppError."""

from __future__ import annotations

import random

import pytest
from registry_sandbox import Sandbox

from fleet.registry import KINDS, AppError
from fleet.registry.schema import settings_of

VALUES = [
    *("null", "5", "-1", "1.5", "true", ".nan", "''", "x", "'app:a'", "'5s'", "-5s", '"\\0"', "!!binary aGk="),
    *("'${env:X}'", "'${env:X|3}'", "'file://f.lua'", "'file://no'", "*anchor"),
    *("[]", "[x, 1]", "[[[]]]", "{}", "{a: 1}", "{'': ''}", "{null: null}"),
    *("{type: mtls}", "{server: a}", "{options: {activity.x: 1}}"),
    *("{temporal: {workflow: {worker: b}}}", "{temporal: {activity: {worker: 5}}}"),
]


def _garbage(chance: random.Random) -> str:
    lines = ["namespace: app", "meta: &anchor {worker: a, client: c}", "entries:"]
    for _ in range(chance.randint(1, 5)):
        kind = chance.choice(list(KINDS))
        lines += [f"  - name: {chance.choice('abcde')}", f"    kind: {kind}"]
        fields = sorted(
            {setting.path.split(".")[0] for setting in settings_of(KINDS[kind]).values()} | {"meta", "data"}
        )
        for field in chance.sample(fields, chance.randint(0, min(5, len(fields)))):
            lines.append(f"    {field}: {chance.choice(VALUES)}")
    text = "\n".join(lines)
    if chance.random() < 0.2:
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice("{}[]:\n\t'\"&*!|>%@`\0é") + text[place:]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_garbage_is_refused_with_a_place(app: Sandbox, seed: int) -> None:
    chance = random.Random(seed)
    app.write({"f.lua": "return 1"})
    for _ in range(150):
        text = _garbage(chance)
        app.write({"a.yaml": text})
        try:
            app.load()
        except AppError as error:
            assert error.errors
            assert all(problem.file and problem.line > 0 for problem in error.problems), text
