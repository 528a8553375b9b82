using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>How one family of operations says things on the wire: errors, events, and when a stream is whole.</summary>
internal abstract class Dialect
{
    /// <summary>Chat completions.</summary>
    public static Dialect Chat { get; } = new CompletionDialect(CompletionStreaming.Chat);

    /// <summary>Legacy completions: choices with <c>text</c>, else as chat.</summary>
    public static Dialect Legacy { get; } = new CompletionDialect(CompletionStreaming.Legacy);

    /// <summary>OpenAI operations without a stream: embeddings, models, and whatever could not be told.</summary>
    public static Dialect Plain { get; } = new CompletionDialect(null);

    /// <summary>OpenAI's Responses.</summary>
    public static Dialect Responses { get; } = new ResponsesDialect();

    /// <summary>Anthropic's Messages, and whatever else a client of Anthropic's asks.</summary>
    public static Dialect Messages { get; } = new MessagesDialect();

    /// <summary>Clients of this dialect also look for the request id under this name; null if there is no such name.</summary>
    public virtual string? RequestIdHeader => null;

    /// <summary>What an upstream's 529 (overloaded) is called here.</summary>
    public virtual int OverloadedStatus => 503;

    /// <summary>Clients ignore comments: held events go out with the first heartbeat, and that commits.</summary>
    public virtual bool ReleasesHeldEvents => false;

    /// <summary>Its streams tell their usage only if they are asked to.</summary>
    public virtual bool AsksForUsage => false;

    /// <summary>A watcher for one attempt's stream.</summary>
    public abstract StreamInspector CreateInspector(in StreamExpectation expectation);

    /// <summary>Writes the body of an error answer.</summary>
    public abstract void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output);

    /// <summary>Writes the list of models.</summary>
    public virtual void WriteModels(Utf8JsonWriter json, IReadOnlyList<string> names)
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        foreach (var name in names)
        {
            WriteModel(json, name);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes one model.</summary>
    public virtual void WriteModel(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, name);
        json.WriteString("object"u8, "model"u8);
        // Clients require a number; when a model was made is not ours to know.
        json.WriteNumber("created"u8, 0);
        json.WriteString("owned_by"u8, "llmproxy"u8);
        json.WriteEndObject();
    }

    /// <summary>Writes a whole JSON answer as the stream that was asked for.</summary>
    /// <param name="answer">Known to be a JSON object without an error.</param>
    /// <param name="includesUsage">The client asked for usage in the stream.</param>
    /// <param name="output">What was written to it is of no use if the answer is false.</param>
    /// <returns>False if this dialect cannot, or the answer is none of its own.</returns>
    public virtual bool TryWriteAsStream(ReadOnlyMemory<byte> answer, bool includesUsage, IBufferWriter<byte> output) => false;
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
