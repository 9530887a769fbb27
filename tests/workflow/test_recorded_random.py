"""crypto in workflows: unpredictable, and recorded in history (workflows.ja.md リプレイセーフな操作, decision 7)."""

from __future__ import annotations

from workflow_bench import Bench


async def test_random_bytes_are_recorded(bench: Bench) -> None:
    bench.workflow(
        """
        local a, b = crypto.random_bytes(32), crypto.random.bytes(32)
        local text = crypto.random.string(20)
        local sealed = assert(crypto.encrypt.aes("secret", string.rep("k", 16)))
        time.sleep("10ms")
        return {a = hash.sha256(a), n = #a, differ = a ~= b, text = #text,
                opened = crypto.decrypt.aes(sealed, string.rep("k", 16)), id = #crypto.random.uuid()}
        """,
        modules="crypto hash time",
    )
    first = await bench.run(same=False)
    second = await bench.run(same=False)
    assert first.result["n"] == 32 and first.result["differ"] and first.result["text"] == 20
    assert first.result["opened"] == "secret" and first.result["id"] == 36
    assert first.result["a"] != second.result["a"]
    assert len(first.attributes("marker_recorded")) == 5
