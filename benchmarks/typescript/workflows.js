// app/sequence.lua for the TypeScript SDK. Its commands must agree, for both are replayed on the same history.
const { proxyActivities, sleep } = require('@temporalio/workflow');

const activities = proxyActivities({ startToCloseTimeout: '10 minutes' });

exports['bench:sequence'] = async function (count) {
  for (let i = 1; i <= count; i++) await activities['bench:echo']({ i });
  await sleep(10);
  return { done: count };
};
