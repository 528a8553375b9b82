using System.Buffers;
using BenchmarkDotNet.Attributes;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Benchmarks.Protocol;

/// <summary>A coding agent's first body in a server's 4 KB segments: read, changed, written. The baseline only copies it.</summary>
[MemoryDiagnoser]
public class RequestSpliceBenchmarks
{
    private static readonly FieldNames _names = new(["temperature", "max_completion_tokens", "logit_bias", "tool_choice"]);

    private static readonly RequestEdits _edits = new(
        [new ParameterEdit(_names.IndexOf("temperature"), "\"temperature\":"u8.ToArray(), "0.2"u8.ToArray())],
        [new ParameterEdit(_names.IndexOf("max_completion_tokens"), "\"max_completion_tokens\":"u8.ToArray(), "4096"u8.ToArray())],
        [_names.IndexOf("logit_bias"), _names.IndexOf("tool_choice")]);

    private static readonly FieldNames _telling =
        new(["temperature", "max_completion_tokens", "logit_bias", "tool_choice"], IdentityParts.User | IdentityParts.Conversation | IdentityParts.Prompt);

    private readonly byte[] _model = "\"gpt-5-prod\""u8.ToArray();
    private ReadOnlySequence<byte> _body;
    private byte[] _output = [];
    private RequestFields? _fields;

    /// <summary>A small question, and what an agent sends.</summary>
    [Params(1 << 10, 72 << 10)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _body = AgentBody.InSegments(AgentBody.Create(Bytes));
        _output = new byte[_body.Length + 4096];
        _fields = Read();
    }

    [Benchmark(Baseline = true)]
    public void Copy() => _body.CopyTo(_output);

    [Benchmark]
    public object ReadFields() => Read();

    /// <summary>With a hash of tools, system prompt and first message, as tables with an affine model need it.</summary>
    [Benchmark]
    public object ReadFieldsAndIdentity() => RequestFields.Read(_body, _telling).Value!;

    /// <summary>Looks for what only one account can read, as models with several upstreams need it.</summary>
    [Benchmark]
    public bool FindAccountMarks() => AccountMarks.AreIn(_body, withReasoning: true);

    [Benchmark]
    public int ReadAndSplice() => Write(RequestSplice.TryPlan(Read(), _body.Length, _model, RequestEdits.None, out _)!);

    [Benchmark]
    public int SpliceWithEdits() => Write(RequestSplice.TryPlan(_fields!, _body.Length, _model, _edits, out _)!);

    private RequestFields Read() => RequestFields.Read(_body, _names).Value!;

    private int Write(BodyPart[] parts)
    {
        var output = _output.AsSpan();
        foreach (var part in parts)
        {
            if (part.Length == 0)
            {
                part.Inserted.Span.CopyTo(output);
            }
            else
            {
                _body.Slice(part.Start, part.Length).CopyTo(output);
            }

            output = output[(int)part.Size..];
        }

        return _output.Length - output.Length;
    }
}
