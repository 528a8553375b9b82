using System.Text;
using BenchmarkDotNet.Attributes;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Benchmarks.Protocol;

/// <summary>What is read of the answers of each API. The baseline only copies the same bytes; events are 1,000 with a word each.</summary>
[MemoryDiagnoser]
public class DialectBenchmarks
{
    private const int Events = 1000;

    private byte[] _stream = [];
    private byte[] _answer = [];
    private byte[] _copy = [];
    private StreamInspector _inspector = null!;

    [Params("chat", "messages", "responses")]
    public string Api { get; set; } = "chat";

    [GlobalSetup]
    public void Setup()
    {
        var (dialect, delta, answer) = Api switch
        {
            "messages" => (Dialect.Messages, Named("content_block_delta", "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}"), Message),
            "responses" => (Dialect.Responses, Named("response.output_text.delta", "\"sequence_number\":7,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" word\",\"logprobs\":[],\"obfuscation\":\"aZ3k\""), Response),
            _ => (Dialect.Chat, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n", Completion),
        };
        _stream = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(delta, Events)));
        _answer = Encoding.UTF8.GetBytes(answer);
        _copy = new byte[_stream.Length];
        _inspector = dialect.CreateInspector(new StreamExpectation(1, false, default, false, new Redactor()));
    }

    [Benchmark(Baseline = true)]
    public void CopyStream() => _stream.CopyTo(_copy.AsSpan());

    [Benchmark]
    public long InspectStream()
    {
        var scanner = new SseScanner();
        for (var rest = _stream.AsSpan(); scanner.TryRead(rest, out var found); rest = rest[found.Length..])
        {
            _inspector.Inspect(rest[..found.Length], found);
        }

        return _inspector.TextBytes;
    }

    /// <summary>A whole answer: is it one, what did it use, is it an error.</summary>
    [Benchmark]
    public long ReadAnswer() => JsonAnswer.TryRead(_answer, out var answer) ? answer.Usage.Input : throw new InvalidOperationException("It is no answer.");

    private static string Named(string type, string more) => $"event: {type}\ndata: {{\"type\":\"{type}\",{more}}}\n\n";

    private const string Completion =
        """{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"The cache was cold.","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":6,"total_tokens":25,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"service_tier":"default"}""";

    private const string Message =
        """{"id":"msg_01","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"The cache was cold."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":7,"cache_read_input_tokens":100,"output_tokens":15}}""";

    private const string Response =
        """{"id":"resp_1","object":"response","created_at":1767225600,"status":"completed","error":null,"model":"m","output":[{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"The cache was cold."}]}],"parallel_tool_calls":true,"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":20},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":123}}""";
}
