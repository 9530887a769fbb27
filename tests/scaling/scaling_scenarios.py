"""The loads on which the control loop is judged and drawn: each makes a fleet that has run to its end."""

from __future__ import annotations

from collections.abc import Callable

from scaling_model import Database, Fleet, Queue, always, between


def burst(server_answers: bool = True) -> Fleet:
    """A quiet queue gets 300 tasks of 0.5 s each second for 20 s; another goes on as ever."""
    queues = [
        Queue("orders", between(30, 50, 300, 2), work=0.5),
        Queue("mail", always(20), work=0.2),
    ]
    return Fleet(200, queues, server_answers=server_answers).run(240)


def silence() -> Fleet:
    """Load for two minutes, then nothing for five, then load again."""
    return Fleet(100, [Queue("orders", lambda now: 0 if 120 <= now < 420 else 60, work=0.5)]).run(500)


def slow_database() -> Fleet:
    """Two queues, one of which calls a database that does half of the work that comes, for three minutes."""
    database = Database(between(60, 240, 10, 40))
    queues = [
        Queue("ledger", always(40), work=0.5, database=database),
        Queue("mail", between(90, 240, 100, 20), work=0.5),
    ]
    return Fleet(200, queues).run(420)


def poisoned_queue() -> Fleet:
    """All tasks of a queue fail at once and come back a second later, until it is mended; another has work to do."""
    queues = [
        Queue("poisoned", between(20, 60, 100, 0), work=0.2, fails=lambda now: now < 200),
        Queue("orders", between(60, 240, 120, 20), work=0.5),
    ]
    return Fleet(100, queues).run(300)


def flapping() -> Fleet:
    """Full load for ten seconds, none for ten, and so on."""
    return Fleet(100, [Queue("orders", lambda now: 80 if now % 20 < 10 else 0, work=0.5)]).run(300)


def contention() -> Fleet:
    """Three queues that could each use the whole budget; the third begins when the others have had it for a minute."""
    queues = [
        Queue("first", always(500), work=1.0),
        Queue("second", always(500), work=1.0),
        Queue("third", between(60, 1e9, 500, 0), work=1.0),
    ]
    return Fleet(90, queues).run(180)


SCENARIOS: dict[str, Callable[[], Fleet]] = {
    scenario.__name__: scenario for scenario in (burst, silence, slow_database, poisoned_queue, flapping, contention)
}
