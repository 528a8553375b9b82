using System.Net;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;

namespace LlmProxy.Core.Forwarding;

/// <summary>A request's body with its changes, as one attempt sends it. Holds the body for as long as it is being sent.</summary>
internal sealed class RequestContent : HttpContent
{
    private readonly RequestBody _body;
    private readonly BodyPart[] _parts;
    private readonly long _length;

    public RequestContent(RequestBody body, BodyPart[] parts)
    {
        _body = body;
        _parts = parts;
        foreach (var part in parts)
        {
            _length += part.Size;
        }

        Headers.TryAddWithoutValidation("Content-Type", "application/json");
    }

    /// <summary>Told when a connection takes it.</summary>
    public Attempt? Attempt { get; set; }

    public bool IsOf(RequestBody body) => ReferenceEquals(_body, body);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Attempt?.NoteTaken();
        if (!_body.TryHold())
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
                else if (_body.Bytes is { IsSingleSegment: true } bytes)
                {
                    await stream.WriteAsync(bytes.First.Slice((int)part.Start, (int)part.Length), cancellationToken);
                }
                else
                {
                    foreach (var segment in _body.Bytes.Slice(part.Start, part.Length))
                    {
                        await stream.WriteAsync(segment, cancellationToken);
                    }
                }
            }
        }
        finally
        {
            _body.Release();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _length;
        return true;
    }
}
