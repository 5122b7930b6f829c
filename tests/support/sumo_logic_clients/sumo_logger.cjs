// Sends with the vendor's SDK for JavaScript: `node sumo_logger.cjs URL`, documents as a JSON list on stdin.
// What was not accepted stays in the SDK's queue and is flushed again, up to five times.
const { readFileSync } = require("node:fs");
const SumoLogger = require("sumo-logger");

const logger = new SumoLogger({
  endpoint: process.argv[2],
  useIntervalOnly: true,
  sourceName: "javascript",
  hostName: "node",
  sourceCategory: "sdk",
});
logger.log(JSON.parse(readFileSync(0, "utf8")));

async function flush() {
  let errors = 0;
  while (logger.pendingLogs.length > 0 && errors < 5) {
    try {
      await logger.flushLogs();
    } catch {
      errors += 1;
    }
  }
  console.log(JSON.stringify({ errors }));
}

flush();
