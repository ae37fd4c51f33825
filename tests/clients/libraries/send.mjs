// Makes every call of Segment's Node library: node send.mjs ADDRESS WRITE_KEY
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushInterval: 50, maxRetries: 3 });
const failed = [];
analytics.on("error", (error) => failed.push(`${error.code}: ${error.reason}`));

const userId = "node-1";
analytics.track({ anonymousId: "visitor-1", event: "Product Viewed", properties: { id: "p-1" } });
analytics.identify({ userId, traits: { plan: "gold", seats: 4 } });
for (let number = 0; number < 40; number += 1) {
  const messageId = `node-order-${number}`;
  analytics.track({ userId, event: "Order Completed", properties: { number }, messageId });
}
analytics.page({ userId, category: "Docs", name: "Home", properties: { url: "http://x.example" } });
analytics.screen({ userId, name: "Cart" });
analytics.group({ userId, groupId: "acct-5", traits: { employees: 420 } });
analytics.alias({ userId, previousId: "visitor-1" });

await analytics.closeAndFlush({ timeout: 20000 });
console.log(JSON.stringify({ failed }));
