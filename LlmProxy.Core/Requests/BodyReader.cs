using System.IO.Pipelines;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmProxy.Core.Requests;

/// <summary>Reads a request's body whole, within a limit, and leaves it in the server's buffers.</summary>
internal static class BodyReader
{
    /// <summary>Refuses what need not be read: a type that is not JSON, an unknown encoding, a length over the limit.</summary>
    public static ProxyError? CheckHeaders(HttpRequest request, long limit)
    {
        var types = request.Headers.ContentType;
        if (types.Count > 1)
        {
            return ProxyErrors.BadRequest("invalid_header", "The request carries more than one Content-Type header. Send one.");
        }

        if (types.Count == 1 && types[0] is { Length: > 0 } type && CheckType(type) is { } error)
        {
            return error;
        }

        if (request.Headers.ContentEncoding.Count > 0 && !BodyDecoder.IsSupported(request.Headers.ContentEncoding))
        {
            return ProxyErrors.UnsupportedEncoding;
        }

        if (request.ContentLength > limit)
        {
            return ProxyErrors.RequestTooLarge(limit);
        }

        // The server's own limit would answer in its own words, and an app's may be meant for its other pages.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = null;
        }

        return null;
    }

    /// <summary>Reads it. Throws only if the client goes away.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public static async ValueTask<Result<RequestBody>> ReadAsync(HttpRequest request, LimitOptions limits, BodyBudget budget, CancellationToken cancellation)
    {
        var share = new BodyShare(budget, limits);
        try
        {
            if (!share.HasRoomFor(request.ContentLength ?? 0))
            {
                return ProxyErrors.Overloaded with { ClosesConnection = true };
            }

            var reader = request.BodyReader;
            while (true)
            {
                var reading = reader.ReadAsync(CancellationToken.None);
                var read = reading.IsCompleted ? await reading : await WaitAsync(reader, reading, cancellation);
                var bytes = read.Buffer;
                if (read.IsCanceled)
                {
                    reader.AdvanceTo(bytes.Start);
                    throw new OperationCanceledException(cancellation);
                }

                if (share.Check(bytes.Length) is { } error)
                {
                    reader.AdvanceTo(bytes.End);
                    return error;
                }

                if (read.IsCompleted)
                {
                    share.IsKept = true;
                    var body = new RequestBody(bytes, reader, budget, share.Taken);
                    var encoding = request.Headers.ContentEncoding;
                    return BodyDecoder.IsIdentity(encoding) ? body : await BodyDecoder.DecodeAsync(body, encoding, new BodyShare(budget, limits));
                }

                reader.AdvanceTo(bytes.Start, bytes.End);
            }
        }
        catch (BadHttpRequestException e)
        {
            cancellation.ThrowIfCancellationRequested();
            return FailureOf(e, request, limits.RequestBody);
        }
        catch (IOException)
        {
            // Not every fault that the server finds in chunks is one of its bad requests: a size that overflows comes as it is.
            cancellation.ThrowIfCancellationRequested();
            return ProxyErrors.AmbiguousFraming("The body could not be read: its framing is broken.");
        }
        finally
        {
            share.GiveBackUnlessKept();
        }
    }

    private static ProxyError FailureOf(BadHttpRequestException fault, HttpRequest request, long limit) => fault.StatusCode switch
    {
        StatusCodes.Status400BadRequest when HasGone(request) => throw new ClientGoneException(fault),
        StatusCodes.Status408RequestTimeout => ProxyErrors.RequestTimeout,
        StatusCodes.Status413PayloadTooLarge => ProxyErrors.RequestTooLarge(limit),
        _ => ProxyErrors.AmbiguousFraming("The body could not be read: its framing is broken."),
    };

    // A body with a length has no framing that could be broken: if it ends early, its sender has gone.
    private static bool HasGone(HttpRequest request) =>
        request.ContentLength is not null
        || request.HttpContext.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeFeature>()?.ConnectionClosed.IsCancellationRequested == true;

    // Not by its token: a read that is cancelled so is never ended, and the server then fails to drain the body.
    private static async ValueTask<ReadResult> WaitAsync(PipeReader reader, ValueTask<ReadResult> reading, CancellationToken cancellation)
    {
        await using (cancellation.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), reader))
        {
            return await reading;
        }
    }

    private static ProxyError? CheckType(string type)
    {
        if (type == "application/json")
        {
            return null;
        }

        if (!Microsoft.Net.Http.Headers.MediaTypeHeaderValue.TryParse(type, out var parsed)
            || !parsed.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            return ProxyErrors.UnsupportedMediaType;
        }

        return parsed.Charset.HasValue && !Microsoft.Net.Http.Headers.HeaderUtilities.RemoveQuotes(parsed.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            ? ProxyErrors.UnsupportedCharset
            : null;
    }
}

/// <summary>The client went away within its body.</summary>
internal sealed class ClientGoneException(Exception inner) : OperationCanceledException("The client went away within its body.", inner);
