// OpenAI's own client: `node openai.mjs <operation>`.
import OpenAI from "openai";
import { fetch, key, origin, run } from "./seen.mjs";

const clientOf = (input) => new OpenAI({ baseURL: `${origin}/v1`, apiKey: key, fetch, ...input.client });

// Tools that can be run here; what they say is what a test looks for in the next request.
const runnable = (tools) =>
  tools.map((tool) => ({
    type: "function",
    function: { ...tool.function, parse: JSON.parse, function: ({ city }) => `Sunny in ${city}` },
  }));

await run({
  async create(input, seen) {
    seen.answer = await clientOf(input).chat.completions.create(input.body, input.options);
  },

  async stream(input, seen) {
    const stream = await clientOf(input).chat.completions.create({ ...input.body, stream: true }, input.options);
    Object.assign(seen, { chunks: 0, text: "", finish: null, usages: [], calls: [], models: [] });
    for await (const chunk of stream) {
      seen.chunks++;
      if (!seen.models.includes(chunk.model)) seen.models.push(chunk.model);
      if (chunk.usage) seen.usages.push(chunk.usage);
      const choice = chunk.choices[0];
      seen.text += choice?.delta.content ?? "";
      seen.finish = choice?.finish_reason ?? seen.finish;
      for (const call of choice?.delta.tool_calls ?? []) {
        const known = (seen.calls[call.index] ??= { id: call.id, name: call.function.name, arguments: "" });
        known.arguments += call.function.arguments ?? "";
      }
      if (input.leaveAfter && seen.text.length >= input.leaveAfter) break;
    }
  },

  // The helper that puts a stream together by itself.
  async helper(input, seen) {
    const stream = clientOf(input).chat.completions.stream(input.body, input.options);
    seen.answer = await stream.finalChatCompletion();
  },

  async runTools(input, seen) {
    const { tools, ...body } = input.body;
    const runner = clientOf(input).chat.completions.runTools({ ...body, tools: runnable(tools) });
    seen.text = await runner.finalContent();
    seen.roles = runner.messages.map((message) => message.role);
    seen.usage = await runner.totalUsage();
  },

  async models(input, seen) {
    const client = clientOf(input);
    seen.ids = [];
    for await (const model of client.models.list()) seen.ids.push(model.id);
    seen.model = await client.models.retrieve(input.id);
  },
});
