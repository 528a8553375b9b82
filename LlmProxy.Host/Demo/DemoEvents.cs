using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace LlmProxy.Host.Demo;

/// <summary>Writes the events of one streamed answer, each flushed by itself.</summary>
internal sealed class DemoEvents(PipeWriter output, DemoAnswer answer, bool legacy, bool includesUsage) : IAsyncDisposable
{
    private readonly Utf8JsonWriter _json = DemoJson.To(output);

    public static void WriteHead(Utf8JsonWriter json, DemoAnswer answer, ReadOnlySpan<byte> kind)
    {
        json.WriteString("id"u8, answer.Id);
        json.WriteString("object"u8, kind);
        json.WriteNumber("created"u8, answer.Created);
        json.WriteString("model"u8, DemoUpstream.Model);
    }

    public static void WriteUsage(Utf8JsonWriter json, DemoAnswer answer)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, answer.InputTokens);
        json.WriteNumber("completion_tokens"u8, answer.OutputTokens);
        json.WriteNumber("total_tokens"u8, answer.InputTokens + answer.OutputTokens);
        json.WriteEndObject();
    }

    public ValueTask WriteRoleAsync(int choice, CancellationToken cancellation) =>
        WriteChoiceAsync(choice, "", isFirst: true, finish: null, cancellation);

    public ValueTask WriteTextAsync(int choice, string text, CancellationToken cancellation) =>
        WriteChoiceAsync(choice, text, isFirst: false, finish: null, cancellation);

    public ValueTask WriteFinishAsync(int choice, CancellationToken cancellation) =>
        WriteChoiceAsync(choice, null, isFirst: false, answer.FinishReason, cancellation);

    /// <summary>The chunk with usage and no choices, sent if the client asked for it.</summary>
    public ValueTask WriteUsageAsync(CancellationToken cancellation)
    {
        Begin();
        _json.WriteStartArray("choices"u8);
        _json.WriteEndArray();
        WriteUsage(_json, answer);
        return EndAsync(cancellation);
    }

    public async ValueTask WriteDoneAsync(CancellationToken cancellation)
    {
        output.Write("data: [DONE]\n\n"u8);
        await output.FlushAsync(cancellation);
    }

    public ValueTask DisposeAsync() => _json.DisposeAsync();

    private ValueTask WriteChoiceAsync(int choice, string? text, bool isFirst, string? finish, CancellationToken cancellation)
    {
        Begin();
        _json.WriteStartArray("choices"u8);
        _json.WriteStartObject();
        _json.WriteNumber("index"u8, choice);
        if (legacy)
        {
            _json.WriteString("text"u8, text ?? "");
        }
        else
        {
            WriteDelta(text, isFirst);
        }

        _json.WriteNull("logprobs"u8);
        _json.WriteString("finish_reason"u8, finish);
        _json.WriteEndObject();
        _json.WriteEndArray();
        if (includesUsage)
        {
            _json.WriteNull("usage"u8);
        }

        return EndAsync(cancellation);
    }

    private void WriteDelta(string? text, bool isFirst)
    {
        _json.WriteStartObject("delta"u8);
        if (isFirst)
        {
            _json.WriteString("role"u8, "assistant"u8);
        }

        if (text is not null)
        {
            _json.WriteString("content"u8, text);
        }

        _json.WriteEndObject();
    }

    private void Begin()
    {
        output.Write("data: "u8);
        _json.Reset();
        _json.WriteStartObject();
        WriteHead(_json, answer, legacy ? "text_completion"u8 : "chat.completion.chunk"u8);
    }

    private async ValueTask EndAsync(CancellationToken cancellation)
    {
        _json.WriteEndObject();
        _json.Flush();
        output.Write("\n\n"u8);
        await output.FlushAsync(cancellation);
    }
}
