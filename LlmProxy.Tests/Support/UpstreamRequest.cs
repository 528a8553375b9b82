using System.Text;
using System.Text.Json.Nodes;

namespace LlmProxy.Tests.Support;

/// <summary>A request as the upstream got it.</summary>
public sealed class UpstreamRequest(int connection, byte[] head)
{
    /// <summary>Which connection it came on, from 0.</summary>
    public int Connection { get; } = connection;

    /// <summary>The head's bytes, blank line included.</summary>
    public ReadOnlyMemory<byte> Head { get; } = head;

    public WireHeaders Headers { get; } = WireHeaders.Parse(head);

    public string Method => Headers.StartLine.Split(' ')[0];

    public string Target => Headers.StartLine.Split(' ')[1];

    /// <summary>The body without its transfer coding; null until it has come in full.</summary>
    public byte[]? Body { get; internal set; }

    public string Text => Encoding.UTF8.GetString(Body ?? []);

    public JsonObject Json => JsonNode.Parse(Body)!.AsObject();

    /// <summary>True if the body asks for a stream.</summary>
    public bool AsksForStream => Text.StartsWith('{') && Json["stream"]?.GetValueKind() is System.Text.Json.JsonValueKind.True;
}
