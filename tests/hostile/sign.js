// Signs bodies as Zoom's own documentation does it in Node: over `JSON.stringify` of an object, or over the
// bytes as they are. Reads one JSON object a line, writes one a line: the signature, and the body in base64.
const crypto = require("node:crypto");
const readline = require("node:readline");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { secret, timestamp, base64, stringify } = JSON.parse(line);
  let body = Buffer.from(base64, "base64");
  if (stringify) {
    body = Buffer.from(JSON.stringify(JSON.parse(body.toString("utf8"))), "utf8");
  }
  const mac = crypto.createHmac("sha256", secret);
  mac.update(`v0:${timestamp}:`);
  mac.update(body);
  process.stdout.write(
    JSON.stringify({ signature: `v0=${mac.digest("hex")}`, base64: body.toString("base64") }) + "\n",
  );
});
