using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>How one family of operations says things on the wire: errors, events, and when a stream is whole.</summary>
internal abstract class Dialect
{
    /// <summary>Chat completions.</summary>
    public static Dialect Chat { get; } = new CompletionDialect();

    /// <summary>Legacy completions: choices with <c>text</c>, else as chat.</summary>
    public static Dialect Legacy { get; } = new CompletionDialect();

    /// <summary>OpenAI operations without a stream: embeddings, models, and whatever could not be told.</summary>
    public static Dialect Plain { get; } = new CompletionDialect();

    /// <summary>A watcher for one attempt's stream.</summary>
    public abstract StreamInspector CreateInspector(in StreamExpectation expectation);

    /// <summary>Writes the body of an error answer.</summary>
    public abstract void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output);

    /// <summary>Writes the event that tells a client that its stream is broken.</summary>
    public abstract void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output);
}

/// <summary>The dialect of OpenAI's completions.</summary>
internal sealed class CompletionDialect : Dialect
{
    public override StreamInspector CreateInspector(in StreamExpectation expectation) => new CompletionInspector(expectation);

    public override void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, ErrorText.JsonOptions);
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, message);
        json.WriteString("type"u8, error.Type);
        json.WriteString("param"u8, error.Param);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    public override void WriteErrorEvent(ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        WriteError(error, message, requestId, output);
        output.Write("\n\n"u8);
    }
}

/// <summary>What all error texts have in common.</summary>
internal static class ErrorText
{
    /// <summary>Not made for HTML: a message stays readable, and control characters are escaped all the same.</summary>
    public static JsonWriterOptions JsonOptions { get; } =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The message with whom to ask behind it, where it is a refusal.</summary>
    public static string Compose(ProxyError error, string? contact)
    {
        var message = DisplayText.Message(error.Message);
        return contact is null || error.Status is not (401 or 403 or 404 or 429) ? message : $"{message} Ask {contact}.";
    }
}
