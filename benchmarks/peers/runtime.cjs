// The runtime client for the functions in JavaScript: asks the Runtime API for events and posts the answers.
// AWS's own is native code that is built when it is installed; this one is less than that does, to the
// advantage of what runs under it.
const http = require("node:http");
const path = require("node:path");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const base = "/2018-06-01/runtime/invocation/";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

const ask = (method, where, body) =>
  new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = http.request({ host, port, agent, method, path: base + where, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });

const main = async () => {
  const { handler } = require(path.resolve("app.js"));
  for (;;) {
    const { headers, body } = await ask("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      const context = { awsRequestId: id, callbackWaitsForEmptyEventLoop: false };
      await ask("POST", `${id}/response`, JSON.stringify(await handler(JSON.parse(body), context)));
    } catch (error) {
      await ask("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: `${error.stack}` }));
    }
  }
};

main();
