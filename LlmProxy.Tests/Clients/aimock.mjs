// A foreign upstream: starts aimock on a free port of loopback, says {"url": …} on stdout and ends with its stdin.
import { LLMock } from '@copilotkit/aimock';

const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
mock.onMessage('cut', { content: 'Hello there, this answer never gets to its end.' }, { chunkSize: 5, truncateAfterChunks: 4 });
mock.onMessage(/.*/, { content: 'Hello there' }, { chunkSize: 5 });
await mock.start();
console.log(JSON.stringify({ url: mock.url }));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
