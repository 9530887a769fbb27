// Replays histories on one worker that stays open. A line "NUMBER FILE" on stdin asks for so many replays of the
// serialized History message in FILE; the answer is a line of JSON: {cpu, wall} in seconds, or {error}. CPU time is
// that of the whole process, the core's threads among them.
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { temporal } = require('@temporalio/proto');
const { DefaultLogger, Runtime, Worker, bundleWorkflowCode } = require('@temporalio/worker');

async function main() {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: path.join(__dirname, 'workflows.js'), logger });

  const orders = [];
  let wake = () => {};
  const order = (history) => {
    orders.push(history);
    wake();
  };
  async function* histories() {
    for (;;) {
      while (!orders.length) await new Promise((resolve) => (wake = resolve));
      const history = orders.shift();
      if (!history) return;
      yield { workflowId: 'bench:sequence', history };
    }
  }
  const results = Worker.runReplayHistories({ workflowBundle }, histories());

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [times, file] = line.split(/ (.*)/);
    const history = temporal.api.history.v1.History.decode(fs.readFileSync(file));
    const cpu = process.cpuUsage();
    const wall = process.hrtime.bigint();
    let error = null;
    for (let i = 0; i < Number(times); i++) {
      order(history);
      const { value } = await results.next();
      error = error || value.error;
    }
    const spent = process.cpuUsage(cpu);
    const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
    const answer = error ? { error: String(error) } : { cpu: (spent.user + spent.system) / 1e6, wall: seconds };
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  order(null);
  await results.next();
}

main().catch((error) => {
  process.stdout.write(JSON.stringify({ error: String(error && error.stack) }) + '\n');
  process.exit(1);
});
