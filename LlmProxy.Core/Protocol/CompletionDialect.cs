using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The dialect of OpenAI's completions.</summary>
/// <param name="streaming">Turns a JSON answer into a stream; null where there are no streams.</param>
internal sealed class CompletionDialect(CompletionStreaming? streaming) : Dialect
{
    public override bool AsksForUsage => streaming is not null;

    public override StreamInspector CreateInspector(in StreamExpectation expectation) => new CompletionInspector(expectation);

    public override void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output) =>
        OpenAIError.WriteBody(error, message, output);

    public override bool TryWriteAsStream(ReadOnlyMemory<byte> answer, bool includesUsage, IBufferWriter<byte> output) =>
        streaming?.TryWrite(answer, includesUsage, output) == true;
}

/// <summary>The error of the OpenAI API, in all of its places.</summary>
internal static class OpenAIError
{
    /// <summary>The body of an error answer: the upstream's own where it passes, else ours.</summary>
    public static void WriteBody(ProxyError error, string message, IBufferWriter<byte> output)
    {
        if (error.Body is not null)
        {
            output.Write(error.Body);
            return;
        }

        WriteOurs(error, message, output);
    }

    /// <summary>Our error as an object of its own, on one line.</summary>
    public static void WriteOurs(ProxyError error, string message, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, ErrorText.JsonOptions);
        json.WriteStartObject();
        WriteMember(error, message, json);
        json.WriteEndObject();
    }

    /// <summary>The member <c>error</c> with its four keys.</summary>
    public static void WriteMember(ProxyError error, string message, Utf8JsonWriter json)
    {
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, message);
        json.WriteString("type"u8, error.Type);
        json.WriteString("param"u8, error.Param);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
    }
}
