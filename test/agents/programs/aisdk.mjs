// AI SDK by its own providers: node aisdk.mjs KIND URL…. Two turns with tools, whole and
// streamed. The second turn is sent the whole history of the first.
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { z } from 'zod';

globalThis.AI_SDK_LOG_WARNINGS = false; // thoughts of those who do not sign them
const [kind, ...urls] = process.argv.slice(2);
const models = {
  chat: (url) => createOpenAI({ baseURL: url + '/v1', apiKey: 'none' }).chat('gpt-4.1'),
  responses: (url) => createOpenAI({ baseURL: url + '/v1', apiKey: 'none' }).responses('gpt-5.4'),
  anthropic: (url) => createAnthropic({ baseURL: url + '/v1', apiKey: 'none' })('claude-sonnet-4-6'),
  gemini: (url) => createGoogleGenerativeAI({ baseURL: url + '/v1beta', apiKey: 'none' })('gemini-2.5-pro'),
};
// stateless: only OpenAI itself stores answers.
const providerOptions = { openai: { store: false } };
const tools = {
  get_weather: tool({ description: 'Weather of a city.', inputSchema: z.looseObject({ city: z.string() }), execute: async ({ city }) => ({ city, sky: 'clear' }) }),
  get_time: tool({ description: 'The time.', inputSchema: z.object({}), execute: async () => '10:00' }),
};

for (const url of urls) {
  const model = models[kind](url);
  for (const streamed of [false, true]) {
    const messages = [], calls = [];
    let text = '';
    for (const ask of ['scenario:tools', 'scenario:thinking_tools']) {
      messages.push({ role: 'user', content: ask });
      const options = { model, tools, messages, stopWhen: stepCountIs(4), maxRetries: 0, providerOptions, onError: ({ error }) => { throw error; } };
      const answer = streamed ? streamText(options) : await generateText(options);
      if (streamed) await answer.consumeStream({ onError: (error) => { throw error; } });
      for (const step of await answer.steps) calls.push(...step.toolCalls.map((call) => call.toolName));
      messages.push(...(await answer.response).messages);
      text = await answer.text;
    }
    console.log(streamed ? 'streamed' : 'whole', calls.join(' '), '|', text);
  }
}
