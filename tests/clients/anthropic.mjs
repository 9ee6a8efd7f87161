// Anthropic's own client: `node anthropic.mjs <operation>`.
import Anthropic from "@anthropic-ai/sdk";
import { fetch, key, origin, run } from "./seen.mjs";

const clientOf = (input) => new Anthropic({ baseURL: origin + (input.prefix ?? ""), fetch, ...(input.client ?? { apiKey: key }) });

await run({
  async create(input, seen) {
    seen.answer = await clientOf(input).messages.create(input.body, input.options);
  },

  async stream(input, seen) {
    const stream = await clientOf(input).messages.create({ ...input.body, stream: true }, input.options);
    Object.assign(seen, { events: [], text: "", stop: null, usage: null, model: null });
    for await (const event of stream) {
      seen.events.push(event.type);
      if (event.type === "message_start") seen.model = event.message.model;
      if (event.type === "message_delta") {
        seen.stop = event.delta.stop_reason ?? seen.stop;
        seen.usage = event.usage ?? seen.usage;
      }
      if (event.type === "content_block_delta") seen.text += event.delta.text ?? "";
      if (input.leaveAfter && seen.text.length >= input.leaveAfter) break;
    }
  },

  // The helper that puts a stream together by itself.
  async helper(input, seen) {
    const stream = clientOf(input).messages.stream(input.body, input.options);
    seen.answer = await stream.finalMessage();
  },

  // The loop that runs tools by itself; it asks on /v1/messages?beta=true.
  async runTools(input, seen) {
    const { tools, ...body } = input.body;
    const runner = clientOf(input).beta.messages.toolRunner({
      ...body,
      tools: tools.map((tool) => ({ ...tool, parse: (value) => value, run: async ({ city }) => `Sunny in ${city}` })),
    });
    seen.answer = await runner;
  },

  async count(input, seen) {
    seen.answer = await clientOf(input).messages.countTokens(input.body);
  },

  async models(input, seen) {
    const client = clientOf(input);
    seen.ids = [];
    for await (const model of client.models.list({ limit: 3 })) seen.ids.push(model.id);
    seen.model = await client.models.retrieve(input.id);
  },
});
