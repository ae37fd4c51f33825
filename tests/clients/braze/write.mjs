// Drives the sandbox with the npm package braze-api: node write.mjs ADDRESS KEY CAMPAIGN CANVAS SEGMENT API_CAMPAIGN
import { Braze } from "braze-api";

const [address, key, campaign, canvas, segment, apiCampaign] = process.argv.slice(2);
const braze = new Braze(address, key);
const one = "c000001";
const alias = { alias_name: "node-1", alias_label: "node" };
const at = "2026-01-01T08:00:00Z";
const schedule = { time: "2030-01-01T09:00:00Z" };
const answers = {};

async function ask(name, call) {
  answers[name] = await call();
  return answers[name];
}

await ask("track", () => braze.users.track({
  attributes: [{ external_id: one, tier: "gold" }],
  events: [{ external_id: one, name: "seen", time: at }],
  purchases: [{ external_id: one, product_id: "p", currency: "EUR", price: 1.5, time: at }],
}));
await ask("alias", () => braze.users.alias.new({ user_aliases: [alias] }));
await ask("identify", () => braze.users.identify({ aliases_to_identify: [{ external_id: "node-user", user_alias: alias }] }));
await ask("export", () => braze.users.export.ids({ external_ids: [one, "node-user"], fields_to_export: ["external_id", "custom_attributes"] }));
await ask("segment", () => braze.users.export.segment({ segment_id: segment, fields_to_export: ["external_id"] }));
await ask("send_id", () => braze.sends.id.create({ campaign_id: campaign, send_id: "node-send" }));
await ask("trigger", () => braze.campaigns.trigger.send({
  campaign_id: campaign,
  send_id: "node-send",
  recipients: [{ external_user_id: one, trigger_properties: { offer: "tv_bundle", channel: "email" } }],
}));
const later = await ask("campaign_schedule", () => braze.campaigns.trigger.schedule.create({
  campaign_id: campaign, schedule, recipients: [{ external_user_id: one }],
}));
await ask("campaign_schedule_delete", () => braze.campaigns.trigger.schedule.delete({ campaign_id: campaign, schedule_id: later.schedule_id }));
await ask("canvas", () => braze.canvas.trigger.send({ canvas_id: canvas, recipients: [{ external_user_id: one, canvas_entry_properties: { offer: "mobile_sim" } }] }));
await ask("messages", () => braze.messages.send({
  external_user_ids: [one],
  campaign_id: apiCampaign,
  messages: { email: { app_id: "a", from: "Shop <a@b.example>", subject: "s", body: "{{custom_attribute.${tier}}}", message_variation_id: "email-from-outside" } },
}));
const message = await ask("messages_schedule", () => braze.messages.schedule.create({
  external_user_ids: [one], schedule, messages: { webhook: { url: "http://x.example", request_method: "POST" } },
}));
await ask("messages_schedule_delete", () => braze.messages.schedule.delete({ schedule_id: message.schedule_id }));
await ask("campaigns", () => braze.campaigns.list({}));
await ask("canvases", () => braze.canvas.list({}));
await ask("segments", () => braze.segments.list({}));
await ask("segment_details", () => braze.segments.details({ segment_id: segment }));
const template = await ask("template", () => braze.templates.email_templates.create({ template_name: "n", subject: "s", body: "b" }));
await ask("template_update", () => braze.templates.email_templates.update({ email_template_id: template.email_template_id, subject: "t" }));
await ask("delete", () => braze.users.delete({ external_ids: ["node-user"] }));
try {
  await new Braze(address, "wrong").campaigns.list({});
} catch (error) {
  answers.wrong_key = { status: error.status, message: error.message };
}
process.stdout.write(JSON.stringify(answers));
