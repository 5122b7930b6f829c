// Sends with winston-sumologic-transport: `node winston.cjs URL`, documents as a JSON list on stdin.
// Ends when its queue is empty, which is when everything was answered with a success.
const { readFileSync } = require("node:fs");
const winston = require("winston");
const { SumoLogic } = require("winston-sumologic-transport");

let errors = 0;
const transport = new SumoLogic({
  url: process.argv[2],
  interval: 20,
  customSourceCategory: "winston",
  onError: () => { errors += 1; },
});
const logger = winston.createLogger({ transports: [transport] });
for (const document of JSON.parse(readFileSync(0, "utf8"))) {
  logger.info(document.text, document);
}
setInterval(() => {
  if (transport._waitingLogs.length === 0) {
    console.log(JSON.stringify({ errors }));
    process.exit(0);
  }
}, 20);
