// Sends with Splunk's own client: `splunk_logging.cjs URL TOKEN BATCH`, documents as a JSON list on stdin.
const { readFileSync } = require("node:fs");
const { Logger } = require("splunk-logging");

const [url, token, batch] = process.argv.slice(2);
const documents = JSON.parse(readFileSync(0));
const logger = new Logger({ url, token, maxBatchCount: Number(batch), maxRetries: 2 });
const answers = [];
const errors = [];
logger.error = (error) => errors.push({ code: error.code, text: error.message });
const sent = (error, response, body) => {
  if (response) answers.push({ status: response.statusCode, code: body.code });
  if (answers.length + (error ? 1 : 0) === Math.ceil(documents.length / batch)) {
    console.log(JSON.stringify({ answers, errors }));
  }
};
for (const message of documents) {
  logger.send({ message, metadata: { time: message.timestamp / 1000, index: "main", sourcetype: "workato:job" } }, sent);
}
