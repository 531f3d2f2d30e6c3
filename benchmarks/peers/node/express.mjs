// The form of Zoom's sample for webhooks, an Express application that verifies by hand ("Using webhooks",
// developers.zoom.us, read 2026-11-25), on Lambda by serverless-http, publishing with the AWS SDK.
import crypto from "node:crypto";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import express from "express";
import serverless from "serverless-http";

const secret = process.env.ZOOM_WEBHOOK_SECRET_TOKEN;
const bus = new EventBridgeClient({});
const app = express();
app.use(express.json());

const hash = (text) => crypto.createHmac("sha256", secret).update(text).digest("hex");

app.post("/webhooks/zoom", async (request, response) => {
  const content = `v0:${request.headers["x-zm-request-timestamp"]}:${JSON.stringify(request.body)}`;
  if (request.headers["x-zm-signature"] !== `v0=${hash(content)}`) {
    response.status(401).json({ message: "Unauthorized" });
    return;
  }
  if (request.body.event === "endpoint.url_validation") {
    const { plainToken } = request.body.payload;
    response.json({ plainToken, encryptedToken: hash(plainToken) });
    return;
  }
  const answer = await bus.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: process.env.EVENT_BUS_ARN,
          Source: "zoom.scheduler",
          DetailType: request.body.event,
          Detail: JSON.stringify(request.body),
        },
      ],
    }),
  );
  if (answer.FailedEntryCount) throw new Error("not published");
  console.log("published", request.body.event);
  response.json(request.body);
});

export const handler = serverless(app);
