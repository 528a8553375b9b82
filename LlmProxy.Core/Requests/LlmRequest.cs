using System.Buffers;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Requests;

/// <summary>A request on its way to a model, as a filter sees it.</summary>
public sealed class LlmRequest
{
    internal LlmRequest(string operation, string caller, string? group, string model, ReadOnlySequence<byte> body)
    {
        Operation = operation;
        Caller = caller;
        Group = group;
        Model = model;
        Body = body;
    }

    /// <summary>The operation, for example <c>chat</c>.</summary>
    public string Operation { get; }

    /// <summary>The caller's key or user id.</summary>
    public string Caller { get; }

    /// <summary>The caller's group.</summary>
    public string? Group { get; }

    /// <summary>The model asked for.</summary>
    public string Model { get; }

    /// <summary>The JSON body, UTF-8. Valid until the filter returns.</summary>
    public ReadOnlySequence<byte> Body { get; private set; }

    internal bool IsReplaced { get; private set; }

    internal ProxyError? Refusal { get; private set; }

    /// <summary>Sends this body instead: one JSON object, UTF-8, no longer owned by the caller of this method. It is checked like a client's.</summary>
    public void ReplaceBody(ReadOnlyMemory<byte> body)
    {
        Body = new ReadOnlySequence<byte>(body);
        IsReplaced = true;
    }

    /// <summary>Answers the client with an error; nothing goes upstream and no further filter runs.</summary>
    /// <param name="status">400 to 499 or 503.</param>
    /// <param name="code">In snake_case, for programs.</param>
    /// <param name="message">For people: what is wrong and what to do.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is none that refuses a request.</exception>
    public void Refuse(int status, string code, string message)
    {
        if (status is not ((>= 400 and <= 499) or 503))
        {
            throw new ArgumentOutOfRangeException(nameof(status), status, "Use 400 to 499, or 503.");
        }

        ArgumentException.ThrowIfNullOrWhiteSpace(code);
        ArgumentException.ThrowIfNullOrWhiteSpace(message);
        Refusal = ProxyErrors.Refused(status, code, message);
    }
}
