// OpenAI Agents SDK: node openai-agents.mjs KIND URL…. Two turns with tools, whole and
// streamed. The second turn is sent the whole history of the first.
import { Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';
import { z } from 'zod';

setTracingDisabled(true);
const [kind, ...urls] = process.argv.slice(2);
const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: true };

for (const url of urls) {
  const client = new OpenAI({ baseURL: url + '/v1', apiKey: 'none', maxRetries: 0 });
  const model = kind === 'chat' ? new OpenAIChatCompletionsModel(client, 'gpt-4.1') : new OpenAIResponsesModel(client, 'gpt-5.4');
  const agent = new Agent({
    name: 'weather', model,
    modelSettings: kind === 'chat' ? {} : { store: false, providerData: { include: ['reasoning.encrypted_content'] } },
    tools: [
      tool({ name: 'get_weather', description: 'Weather of a city.', parameters: city, strict: false, execute: async () => 'clear' }),
      tool({ name: 'get_time', description: 'The time.', parameters: z.object({}), execute: async () => '10:00' }),
    ],
  });
  for (const streamed of [false, true]) {
    let history = [], text = '';
    const calls = [];
    for (const ask of ['scenario:tools', 'scenario:thinking_tools']) {
      const result = await run(agent, [...history, { role: 'user', content: ask }], { stream: streamed });
      if (streamed) {
        for await (const _ of result);
        await result.completed;
      }
      calls.push(...result.newItems.filter((item) => item.type === 'tool_call_item').map((item) => item.rawItem.name));
      history = result.history;
      text = result.finalOutput;
    }
    console.log(streamed ? 'streamed' : 'whole', calls.join(' '), '|', text);
  }
}
