using System.Buffers;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Reads an upstream's answer as far as is needed to know whether it is one: the commit.</summary>
/// <remarks>It is made by <see cref="AttemptSender.Prepare"/>, and owns the response until <see cref="Close"/>.</remarks>
internal sealed class AnswerReader(ForwardRequest request, Target target, LimitOptions limits, Attempt attempt, bool isLast, TimeProvider time)
{
    private const int FirstRead = 4096;
    private const int LongestError = 64 * 1024;

    private HttpResponseMessage? _response;
    private FirstEvents? _events;
    private JsonAnswer? _json;
    private string _type = "";
    private string? _encoding;
    private int? _length;

    /// <summary>Decides on a response.</summary>
    public async ValueTask<Result<UpstreamAnswer>> ReadAsync(HttpResponseMessage response)
    {
        _response = response;
        var cancellation = attempt.Token;
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
        {
            return ProxyErrors.Redirected;
        }

        Look(response);

        // The HTTP client's own content has its stream at hand; that of an app's handler may have to wait for it.
        var body = Decode(attempt.IsDirect ? response.Content.ReadAsStream(cancellation) : await response.Content.ReadAsStreamAsync(cancellation));
        if (body is null)
        {
            return ProxyErrors.UnsupportedUpstreamEncoding;
        }

        if (status != (int)HttpStatusCode.OK)
        {
            return status is > 200 and < 300 ? ProxyErrors.InvalidResponse : await ReadErrorAsync(response, body, cancellation);
        }

        var isEvents = IsType("text/event-stream");
        return (request.WantsStream, isEvents) switch
        {
            (true, true) => await ReadEventsAsync(response, body, Usage.None, default, cancellation),
            (false, true) => ProxyErrors.UnexpectedStream,
            (true, false) => await StreamJsonAsync(response, body, cancellation),
            _ => await ReadJsonAsync(response, body, cancellation),
        };
    }

    /// <summary>What was read is the attempt's outcome, unless another was faster.</summary>
    public Result<UpstreamAnswer> Settle(in Result<UpstreamAnswer> result)
    {
        if (result.Value is { } answer && !attempt.TryCommit())
        {
            answer.ReleaseRead();
            return ProxyErrors.Superseded;
        }

        if (result.Value is not { } committed)
        {
            attempt.EndPhase();
        }
        else if (committed.HasOutput)
        {
            attempt.EndWait();
        }
        else
        {
            attempt.HandOverPhase();
        }

        return result;
    }

    /// <summary>What it means that sending or reading threw.</summary>
    public ProxyError FailureOf(Exception fault)
    {
        // Who is asked once more because a kept connection was lost has no more time than who was asked once: it runs on.
        var isLost = _response is null && attempt.WasLost && attempt.Reason == CutOff.None;
        if (!isLost)
        {
            attempt.EndPhase();
        }

        return attempt.Reason != CutOff.None ? Faults.OfCutOff(attempt.Reason) ?? ProxyErrors.ClientGone
            : _response is not null ? Faults.InAnswer(fault)
            : Faults.BeforeAnswer(fault, attempt.HasConnected) with { MayRepeat = isLost };
    }

    /// <summary>The attempt has ended so: its answer, if there is one, owns the response from here on.</summary>
    public void Close(in Result<UpstreamAnswer> result)
    {
        if (result.Error is not null)
        {
            attempt.Usage = _events?.Usage ?? _json?.Usage ?? Usage.None;
            _response?.Dispose();
        }
    }

    private ValueTask<Result<UpstreamAnswer>> ReadEventsAsync(HttpResponseMessage response, Stream body, Usage known, ReadOnlyMemory<byte> rawKnown, CancellationToken cancellation)
    {
        _events = new FirstEvents(request, AttemptSender.Expect(request, target.Upstream), limits.Event, request.Selection.HasLarger(target));
        return _events.ReadAsync(response, body, known, rawKnown, cancellation);
    }

    private async ValueTask<Result<UpstreamAnswer>> ReadJsonAsync(HttpResponseMessage response, Stream body, CancellationToken cancellation)
    {
        // The read that finds the end needs no room: a buffer that is just full would grow for it.
        var buffer = new GrowingBuffer(Math.Clamp(_length ?? FirstRead, 64, FirstRead * 16));
        try
        {
            while (true)
            {
                var count = await body.ReadAsync(buffer.Free(), cancellation);
                buffer.Advance(count);
                if (count == 0)
                {
                    break;
                }

                if (buffer.Length > limits.HeldAnswer)
                {
                    var id = JsonAnswer.FindId(buffer.Written);
                    return IsJson ? Commit(response, AnswerKind.LargeJson, ref buffer, body, id) : ProxyErrors.InvalidResponse;
                }
            }

            if (!JsonAnswer.TryRead(buffer.Written, out var json))
            {
                return ProxyErrors.InvalidResponse;
            }

            _json = json;

            // What is decoded may end before the answer itself does.
            if (_encoding is null)
            {
                attempt.EndMessage(response);
            }

            return json.HasError
                ? ReportedFailure.InGoodStatus(buffer.Written, target.Upstream.Redactor)
                : Commit(response, AnswerKind.Json, ref buffer, body, json.Id, json);
        }
        finally
        {
            buffer.Dispose();
        }
    }

    // A stream was asked for: an error in a 200 says so itself, a completion is better than nothing where nobody else is left
    // to be asked, and anything else must not pass for a stream without events.
    private async ValueTask<Result<UpstreamAnswer>> StreamJsonAsync(HttpResponseMessage response, Stream body, CancellationToken cancellation)
    {
        if (!IsJson)
        {
            return ProxyErrors.InvalidResponse;
        }

        using var buffer = await ReadSomeAsync(body, limits.HeldAnswer, cancellation);
        if (buffer.Length == 0)
        {
            return ProxyErrors.InvalidResponse;
        }

        if (!JsonAnswer.TryRead(buffer.Written, out var json))
        {
            return ProxyErrors.NotStreaming;
        }

        if (json.HasError)
        {
            return ReportedFailure.InGoodStatus(buffer.Written, target.Upstream.Redactor);
        }

        var events = new ArrayBufferWriter<byte>(buffer.Length);
        return isLast && request.Endpoint.Dialect.TryWriteAsStream(buffer.WrittenMemory, request.IncludesUsage, events)
            ? await ReadEventsAsync(response, new MemoryStream(events.WrittenMemory.ToArray(), writable: false), json.Usage, json.RawUsage.In(buffer.Written).ToArray(), cancellation)
            : ProxyErrors.NotStreaming;
    }

    private async ValueTask<Result<UpstreamAnswer>> ReadErrorAsync(HttpResponseMessage response, Stream body, CancellationToken cancellation)
    {
        using var buffer = await ReadSomeAsync(body, LongestError, cancellation);
        return UpstreamErrors.Translate(response, IsJson ? buffer.Written : default, target.Upstream.Redactor, request, time.GetUtcNow());
    }

    private static async ValueTask<GrowingBuffer> ReadSomeAsync(Stream body, int most, CancellationToken cancellation)
    {
        var buffer = new GrowingBuffer(FirstRead);
        try
        {
            while (buffer.Length < most)
            {
                var count = await body.ReadAsync(buffer.Free(), cancellation);
                if (count == 0)
                {
                    break;
                }

                buffer.Advance(count);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            // An error whose text breaks off is still that error.
        }

        return buffer;
    }

    private UpstreamAnswer Commit(
        HttpResponseMessage response, AnswerKind kind, ref GrowingBuffer buffer, Stream rest, SseRange id, JsonAnswer? json = null)
    {
        var length = buffer.Length;
        var storedId = request.Endpoint.IsStored ? StoredIds.Read(id.In(buffer.Written)) : null;
        return new UpstreamAnswer(response, kind, buffer.Detach(), length, rest, json) { StoredId = storedId };
    }

    // Nothing compressed was asked for. What comes so all the same is decoded, or refused: binary must not reach the scanner.
    private Stream? Decode(Stream body)
    {
        if (_encoding is null)
        {
            return body;
        }

        return _encoding.Trim().ToLowerInvariant() switch
        {
            "identity" or "" => body,
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            _ => null,
        };
    }

    private bool IsJson => IsType("application/json");

    private bool IsType(string type) =>
        _type.AsSpan().TrimStart() is var value
        && value.StartsWith(type, StringComparison.OrdinalIgnoreCase)
        && (value.Length == type.Length || value[type.Length] is ';' or ' ' or ',');

    // One look at all that there is: each question for one by its name is a search, and the parsed length makes four objects.
    private void Look(HttpResponseMessage response)
    {
        foreach (var (name, values) in response.Content.Headers.NonValidated)
        {
            switch (name.Length)
            {
                case 12 when name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase):
                    _type = values.ToString();
                    break;
                case 14 when name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase):
                    _length = int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : null;
                    break;
                case 16 when name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase):
                    _encoding = values.ToString();
                    break;
            }
        }
    }
}
