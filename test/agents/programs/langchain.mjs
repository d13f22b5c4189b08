// LangChain.js by its own providers: node langchain.mjs KIND URL…. Two turns with tools,
// whole and streamed. The second turn is sent the whole history of the first.
import { ChatAnthropic } from '@langchain/anthropic';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';

const [kind, ...urls] = process.argv.slice(2);
const openAI = (url) => ({ apiKey: 'none', maxRetries: 0, configuration: { baseURL: url + '/v1' } });
const models = {
  chat: (url) => new ChatOpenAI({ model: 'gpt-4.1', ...openAI(url) }),
  responses: (url) => new ChatOpenAI({ model: 'gpt-5.4', useResponsesApi: true, zdrEnabled: true, ...openAI(url) }),
  anthropic: (url) => new ChatAnthropic({ model: 'claude-sonnet-4-6', apiKey: 'none', maxRetries: 0, anthropicApiUrl: url }),
};
const tools = [
  tool(async ({ city }) => `${city}: clear`, { name: 'get_weather', description: 'Weather of a city.', schema: z.looseObject({ city: z.string() }) }),
  tool(async () => '10:00', { name: 'get_time', description: 'The time.', schema: z.object({}) }),
];

async function answer(bound, messages, streamed) {
  if (!streamed) return bound.invoke(messages);
  let whole;
  for await (const chunk of await bound.stream(messages)) whole = whole ? whole.concat(chunk) : chunk;
  return whole;
}

for (const url of urls) {
  const bound = models[kind](url).bindTools(tools);
  for (const streamed of [false, true]) {
    const messages = [], calls = [];
    let said;
    for (const ask of ['scenario:tools', 'scenario:thinking_tools']) {
      messages.push(new HumanMessage(ask));
      for (;;) {
        said = await answer(bound, messages, streamed);
        messages.push(said);
        if (!said.tool_calls?.length) break;
        for (const call of said.tool_calls) {
          calls.push(call.name);
          const result = await tools.find((t) => t.name === call.name).invoke(call.args);
          messages.push(new ToolMessage({ tool_call_id: call.id, content: result }));
        }
      }
    }
    console.log(streamed ? 'streamed' : 'whole', calls.join(' '), '|', said.text);
  }
}
