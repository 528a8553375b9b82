namespace LlmProxy.Core.Relaying;

/// <summary>What is the same for all events of an answer.</summary>
public sealed class LlmResponse
{
    internal LlmResponse(string operation, string caller, string model)
    {
        Operation = operation;
        Caller = caller;
        Model = model;
    }

    /// <summary>The operation, for example <c>chat</c>.</summary>
    public string Operation { get; }

    /// <summary>The caller's key or user id.</summary>
    public string Caller { get; }

    /// <summary>The model that was asked for.</summary>
    public string Model { get; }

    /// <summary>A filter's own state for the length of this answer.</summary>
    public IDictionary<object, object?> Items { get; } = new Dictionary<object, object?>();
}

/// <summary>One event of a streamed answer, as a filter sees it.</summary>
public sealed class LlmResponseEvent
{
    private List<ReadOnlyMemory<byte>>? _before;
    private List<ReadOnlyMemory<byte>>? _after;

    internal LlmResponseEvent(LlmResponse response, string? name, ReadOnlyMemory<byte> data)
    {
        Response = response;
        Name = name;
        Data = data;
    }

    /// <summary>The answer it belongs to.</summary>
    public LlmResponse Response { get; }

    /// <summary>The event's name; null if it has none, as in completions.</summary>
    public string? Name { get; }

    /// <summary>Its data, JSON in UTF-8.</summary>
    public ReadOnlyMemory<byte> Data { get; private set; }

    /// <summary>It does not go out.</summary>
    public bool IsDropped { get; private set; }

    internal bool IsReplaced { get; private set; }

    internal IReadOnlyList<ReadOnlyMemory<byte>> Before => _before ?? [];

    internal IReadOnlyList<ReadOnlyMemory<byte>> After => _after ?? [];

    /// <summary>Sends other data in its place.</summary>
    public void Replace(ReadOnlyMemory<byte> data)
    {
        Data = data;
        IsReplaced = true;
    }

    /// <summary>Sends nothing in its place.</summary>
    public void Drop() => IsDropped = true;

    /// <summary>Sends another event, with this data, before it.</summary>
    public void AddBefore(ReadOnlyMemory<byte> data) => (_before ??= []).Add(data);

    /// <summary>Sends another event, with this data, after it.</summary>
    public void AddAfter(ReadOnlyMemory<byte> data) => (_after ??= []).Add(data);
}

/// <summary>A whole JSON answer, as a filter sees it.</summary>
public sealed class LlmResponseAnswer
{
    internal LlmResponseAnswer(LlmResponse response, ReadOnlyMemory<byte> body)
    {
        Response = response;
        Body = body;
    }

    /// <summary>The answer.</summary>
    public LlmResponse Response { get; }

    /// <summary>The body, JSON in UTF-8.</summary>
    public ReadOnlyMemory<byte> Body { get; private set; }

    internal bool IsReplaced { get; private set; }

    /// <summary>Sends another body, which must be one JSON object: anything else is answered as a 500.</summary>
    public void Replace(ReadOnlyMemory<byte> body)
    {
        Body = body;
        IsReplaced = true;
    }
}
