"""app/sequence.lua in Python. The commands of the two must agree, for both are replayed on the same history."""

from datetime import timedelta
from typing import Any

from temporalio import workflow


@workflow.defn(name="bench:sequence")
class Sequence:
    """Activities in a row, a short timer, done."""

    @workflow.run
    async def run(self, count: int) -> dict[str, Any]:
        """As `main` in app/sequence.lua."""
        for i in range(1, count + 1):
            await workflow.execute_activity("bench:echo", {"i": i}, start_to_close_timeout=timedelta(minutes=10))
        await workflow.sleep(0.01)
        return {"done": count}
