// Runs real clients against a proxy and says what each of them saw.
//   stdin:  {"baseUrl": "http://…/v1", "key": "…", "prompt": "…", "cases": [{"client": "…", "model": "…"}, …]}
//   stdout: one JSON line per case: {"client", "model", "saw": "success" | "error", "text", "finish", "error"}
// "success" is what a program using the client takes for a whole answer: the iteration came to its end and nothing said otherwise.
import { text as readAll } from 'node:stream/consumers';
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAI } from '@ai-sdk/openai';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, streamText } from 'ai';
import OpenAI, { AzureOpenAI } from 'openai';

const timeout = 20_000;
const atOnce = 16;

const { baseUrl, key, prompt, cases } = JSON.parse(await readAll(process.stdin));
const messages = [{ role: 'user', content: prompt }];
const openai = new OpenAI({ baseURL: baseUrl, apiKey: key, maxRetries: 0, timeout });
const anthropic = new Anthropic({ baseURL: baseUrl.replace(/\/v1$/, ''), apiKey: key, maxRetries: 0, timeout });
const azure = new AzureOpenAI({ endpoint: baseUrl, apiKey: key, apiVersion: '2024-10-21', maxRetries: 0, timeout });
const aiSdk = createOpenAI({ baseURL: baseUrl, apiKey: key });
const langchain = (model) => new ChatOpenAI({ model, apiKey: key, maxRetries: 0, timeout, configuration: { baseURL: baseUrl } });

/** Each reads one answer into `seen` (text and finish reason) and throws as the client does. */
const clients = {
  async 'openai-node'(model, seen) {
    for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true })) {
      seen.text += chunk.choices[0]?.delta?.content ?? '';
      seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
    }
  },

  async 'openai-node stream()'(model, seen) {
    const runner = openai.chat.completions.stream({ model, messages });
    runner.on('content', (delta) => (seen.text += delta));
    seen.finish = (await runner.finalChatCompletion()).choices[0].finish_reason;
  },

  async 'openai-node Azure'(model, seen) {
    for await (const chunk of await azure.chat.completions.create({ model, messages, stream: true })) {
      seen.text += chunk.choices[0]?.delta?.content ?? '';
      seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
    }
  },

  async 'openai-node whole'(model, seen) {
    const completion = await openai.chat.completions.create({ model, messages });
    seen.text = completion.choices[0].message.content;
    seen.finish = completion.choices[0].finish_reason;
  },

  async 'openai-node responses'(model, seen) {
    for await (const event of await openai.responses.create({ model, input: prompt, stream: true })) {
      seen.text += event.type === 'response.output_text.delta' ? event.delta : '';
      seen.finish = event.response?.status ?? seen.finish;
      if (event.type === 'response.failed') {
        throw Object.assign(new Error(event.response.error?.message), { name: event.type });
      }
    }
  },

  async 'openai-node responses stream()'(model, seen) {
    const runner = openai.responses.stream({ model, input: prompt });
    runner.on('response.output_text.delta', (event) => (seen.text += event.delta));
    const response = await runner.finalResponse();
    seen.finish = response.status;
    if (response.status === 'failed') {
      throw Object.assign(new Error(response.error?.message), { name: 'status failed' });
    }
  },

  // textStream swallows errors by design: fullStream is where this client says them.
  async 'AI SDK'(model, seen) {
    const result = streamText({ model: aiSdk.chat(model), prompt, maxRetries: 0, abortSignal: AbortSignal.timeout(timeout), onError() {} });
    await readParts(result.fullStream, seen);
  },

  async 'AI SDK whole'(model, seen) {
    const result = await generateText({ model: aiSdk.chat(model), prompt, maxRetries: 0, abortSignal: AbortSignal.timeout(timeout) });
    seen.text = result.text;
    seen.finish = result.finishReason;
  },

  async 'AI SDK responses'(model, seen) {
    const result = streamText({ model: aiSdk.responses(model), prompt, maxRetries: 0, abortSignal: AbortSignal.timeout(timeout), onError() {} });
    await readParts(result.fullStream, seen);
  },

  async 'LangChain.js'(model, seen) {
    for await (const chunk of await langchain(model).stream(prompt)) {
      seen.text += chunk.text;
      seen.finish = chunk.response_metadata?.finish_reason ?? seen.finish;
    }
  },

  async 'LangChain.js whole'(model, seen) {
    const message = await langchain(model).invoke(prompt);
    seen.text = message.text;
    seen.finish = message.response_metadata.finish_reason;
  },

  async 'Anthropic TypeScript'(model, seen) {
    for await (const event of await anthropic.messages.create({ model, messages, max_tokens: 100, stream: true })) {
      seen.text += event.delta?.text ?? '';
      seen.finish = event.delta?.stop_reason ?? seen.finish;
    }
  },

  async 'Anthropic TypeScript stream()'(model, seen) {
    const runner = anthropic.messages.stream({ model, messages, max_tokens: 100 });
    runner.on('text', (delta) => (seen.text += delta));
    seen.finish = (await runner.finalMessage()).stop_reason;
  },
};

async function readParts(parts, seen) {
  let error;
  for await (const part of parts) {
    seen.text += part.type === 'text-delta' ? part.text : '';
    seen.finish = part.type === 'finish' ? part.finishReason : seen.finish;
    error ??= part.type === 'error' ? part.error : undefined;
    error ??= part.type === 'abort' ? new Error('aborted') : undefined;
  }
  if (error !== undefined) {
    throw error;
  }
}

/** The class and the message, of the cause as well: "terminated" alone says little. */
function describe(error) {
  const of = (e) => `${e?.constructor === Error || e?.constructor === Object ? e.name : e?.constructor?.name}: ${e?.message ?? JSON.stringify(e)}`;
  return of(error) + (error?.cause instanceof Error ? ` (${of(error.cause)})` : '');
}

async function judge({ client, model }) {
  const seen = { client, model, saw: 'error', text: '', finish: null, error: null };
  try {
    await clients[client](model, seen);
    seen.saw = 'success';
  } catch (error) {
    seen.error = describe(error);
  }
  console.log(JSON.stringify(seen));
}

// What a client rejects besides what it throws to its user is not what the user sees.
process.on('unhandledRejection', () => {});

const waiting = cases.values();
const work = async () => {
  for (const one of waiting) {
    await judge(one);
  }
};
await Promise.all(Array.from({ length: atOnce }, work));
process.exit(0);
