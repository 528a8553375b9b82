using System.Net;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;

namespace LlmProxy.Core.Forwarding;

/// <summary>A request's body with its changes, as one attempt sends it. Holds the body for as long as it is being sent.</summary>
internal sealed class RequestContent : HttpContent
{
    private RequestBody? _body;
    private BodyPart[] _parts;
    private long _length;
    private volatile bool _isSent;

    public RequestContent(RequestBody body, BodyPart[] parts)
    {
        (_body, _parts, _length) = (body, parts, SizeOf(parts));
        Headers.TryAddWithoutValidation("Content-Type", "application/json");
    }

    /// <summary>Told when a connection takes it.</summary>
    public Attempt? Attempt { get; set; }

    /// <summary>All of it has been written once.</summary>
    public bool IsSent => _isSent;

    public bool IsOf(RequestBody body) => ReferenceEquals(_body, body);

    /// <summary>The next body in the place of one that was cleared.</summary>
    public void Put(RequestBody body, BodyPart[] parts)
    {
        (_body, _parts, _length, _isSent) = (body, parts, SizeOf(parts), false);

        // It stands there from the first time, and is not asked for again.
        if (Headers.ContentLength != _length)
        {
            Headers.ContentLength = _length;
        }
    }

    /// <summary>Lets go of all that is of one request. Nobody else needs its parts any more.</summary>
    public void Clear()
    {
        RequestSplice.GiveBack(_parts);
        (_body, _parts, Attempt) = (null, [], null);
    }

    private static long SizeOf(BodyPart[] parts)
    {
        var size = 0L;
        foreach (var part in parts)
        {
            size += part.Size;
        }

        return size;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Attempt?.NoteTaken();
        if (_body is not { } body || !body.TryHold())
        {
            throw new OperationCanceledException("The exchange has ended.");
        }

        try
        {
            foreach (var part in _parts)
            {
                if (part.Length == 0)
                {
                    await stream.WriteAsync(part.Inserted, cancellationToken);
                }
                else if (body.Bytes is { IsSingleSegment: true } bytes)
                {
                    await stream.WriteAsync(bytes.First.Slice((int)part.Start, (int)part.Length), cancellationToken);
                }
                else
                {
                    foreach (var segment in body.Bytes.Slice(part.Start, part.Length))
                    {
                        await stream.WriteAsync(segment, cancellationToken);
                    }
                }
            }
        }
        finally
        {
            body.Release();
        }

        _isSent = true;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _length;
        return true;
    }
}
