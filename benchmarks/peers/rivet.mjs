// Zoom's own library on Lambda, as its "Deployment" page says (developers.zoom.us/docs/rivet, read 2026-11-25):
// AwsLambdaReceiver verifies, a listener publishes with the AWS SDK. Rivet has no product client for Scheduler;
// the users' one has a receiver of events like any other.
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { AwsLambdaReceiver, UsersS2SAuthClient } from "@zoom/rivet/users";

const bus = new EventBridgeClient({});
const zoom = new UsersS2SAuthClient({
  accountId: "account",
  clientId: "client",
  clientSecret: "secret",
  receiver: new AwsLambdaReceiver({ webhooksSecretToken: process.env.ZOOM_WEBHOOK_SECRET_TOKEN }),
});

for (const name of ["scheduler.scheduled_event_created", "scheduler.scheduled_event_canceled"]) {
  zoom.webEventConsumer.event(name, async (event) => {
    const answer = await bus.send(
      new PutEventsCommand({
        Entries: [
          {
            EventBusName: process.env.EVENT_BUS_ARN,
            Source: "zoom.scheduler",
            DetailType: name,
            Detail: JSON.stringify(event),
          },
        ],
      }),
    );
    if (answer.FailedEntryCount) throw new Error("not published");
  });
}

export const handler = async (event, context, callback) => {
  const receive = await zoom.start();
  return receive(event, context, callback);
};
