using System.Buffers;
using System.Net;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Reads an upstream's answer as far as is needed to know whether it is one: the commit.</summary>
/// <remarks>It is made by <see cref="AttemptSender.Prepare"/>, and owns the response until <see cref="Close"/>. Then it serves another.</remarks>
internal sealed class AnswerReader
{
    private const int FirstRead = 4096;
    private const int LongestError = 64 * 1024;

    [ThreadStatic]
    internal static Spares<AnswerReader> Kept;

    private Course _course;

    /// <param name="request">What was asked for.</param>
    /// <param name="target">Who was asked.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="attempt">Its clock.</param>
    /// <param name="isLast">Nobody else is asked after this target.</param>
    /// <param name="time">For what an error says of when to come back.</param>
    public static AnswerReader For(ForwardRequest request, Target target, LimitOptions limits, Attempt attempt, bool isLast, TimeProvider time)
    {
        var reader = Kept.Take() ?? new AnswerReader();
        reader._course = new Course(request, target, limits, attempt, isLast, time);
        return reader;
    }

    /// <summary>Decides on a response.</summary>
    public async ValueTask<Result<UpstreamAnswer>> ReadAsync(HttpResponseMessage response)
    {
        _course.Response = response;
        var cancellation = _course.Attempt.Token;
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
        {
            return ProxyErrors.Redirected;
        }

        _course.Form = AnswerForm.Of(response);

        // The HTTP client's own content has its stream at hand; that of an app's handler may have to wait for it.
        var body = _course.Form.Decode(_course.Attempt.IsDirect ? response.Content.ReadAsStream(cancellation) : await response.Content.ReadAsStreamAsync(cancellation));
        if (body is null)
        {
            return ProxyErrors.UnsupportedUpstreamEncoding;
        }

        if (status != (int)HttpStatusCode.OK)
        {
            return status is > 200 and < 300 ? ProxyErrors.InvalidResponse : await ReadErrorAsync(response, body, cancellation);
        }

        return (_course.Request.WantsStream, _course.Form.IsEvents) switch
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
        if (result.Value is { } answer && !_course.Attempt.TryCommit())
        {
            answer.ReleaseRead();
            return ProxyErrors.Superseded;
        }

        if (result.Value is not { } committed)
        {
            _course.Attempt.EndPhase();
        }
        else if (committed.HasOutput)
        {
            _course.Attempt.EndWait();
        }
        else
        {
            _course.Attempt.HandOverPhase();
        }

        return result;
    }

    /// <summary>What it means that sending or reading threw.</summary>
    public ProxyError FailureOf(Exception fault)
    {
        // Who is asked once more because a kept connection was lost has no more time than who was asked once: it runs on.
        var isLost = _course.Response is null && _course.Attempt.WasLost && _course.Attempt.Reason == CutOff.None;
        if (!isLost)
        {
            _course.Attempt.EndPhase();
        }

        return _course.Attempt.Reason != CutOff.None ? Faults.OfCutOff(_course.Attempt.Reason) ?? ProxyErrors.ClientGone
            : _course.Response is not null ? Faults.InAnswer(fault)
            : Faults.BeforeAnswer(fault, _course.Attempt.HasConnected) with { MayRepeat = isLost };
    }

    /// <summary>The attempt has ended so: its answer, if there is one, owns the response from here on.</summary>
    public void Close(in Result<UpstreamAnswer> result)
    {
        if (result.Error is not null)
        {
            _course.Attempt.Usage = _course.Events?.Usage ?? _course.Json?.Usage ?? Usage.None;
            _course.Response?.Dispose();
        }

        _course = default;
        Kept.Give(this);
    }

    private ValueTask<Result<UpstreamAnswer>> ReadEventsAsync(HttpResponseMessage response, Stream body, Usage known, ReadOnlyMemory<byte> rawKnown, CancellationToken cancellation)
    {
        _course.Events = new FirstEvents(_course.Request, AttemptSender.Expect(_course.Request, _course.Target.Upstream), _course.Limits.Event, _course.Request.Selection.HasLarger(_course.Target));
        return _course.Events.ReadAsync(response, body, known, rawKnown, cancellation);
    }

    private async ValueTask<Result<UpstreamAnswer>> ReadJsonAsync(HttpResponseMessage response, Stream body, CancellationToken cancellation)
    {
        // The read that finds the end needs no room: a buffer that is just full would grow for it.
        var buffer = new GrowingBuffer(Math.Clamp(_course.Form.Length ?? FirstRead, 64, FirstRead * 16));
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

                if (buffer.Length > _course.Limits.HeldAnswer)
                {
                    var id = JsonAnswer.FindId(buffer.Written);
                    return _course.Form.IsJson ? Commit(response, AnswerKind.LargeJson, ref buffer, body, id) : ProxyErrors.InvalidResponse;
                }
            }

            if (!JsonAnswer.TryRead(buffer.Written, out var json))
            {
                return ProxyErrors.InvalidResponse;
            }

            _course.Json = json;

            // What is decoded may end before the answer itself does.
            if (!_course.Form.IsEncoded)
            {
                _course.Attempt.EndMessage(response);
            }

            return json.HasError
                ? ReportedFailure.InGoodStatus(buffer.Written, _course.Target.Upstream.Redactor)
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
        if (!_course.Form.IsJson)
        {
            return ProxyErrors.InvalidResponse;
        }

        using var buffer = await ReadSomeAsync(body, _course.Limits.HeldAnswer, cancellation);
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
            return ReportedFailure.InGoodStatus(buffer.Written, _course.Target.Upstream.Redactor);
        }

        var events = new ArrayBufferWriter<byte>(buffer.Length);
        return _course.IsLast && _course.Request.Endpoint.Dialect.TryWriteAsStream(buffer.WrittenMemory, _course.Request.IncludesUsage, events)
            ? await ReadEventsAsync(response, new MemoryStream(events.WrittenMemory.ToArray(), writable: false), json.Usage, json.RawUsage.In(buffer.Written).ToArray(), cancellation)
            : ProxyErrors.NotStreaming;
    }

    private async ValueTask<Result<UpstreamAnswer>> ReadErrorAsync(HttpResponseMessage response, Stream body, CancellationToken cancellation)
    {
        using var buffer = await ReadSomeAsync(body, LongestError, cancellation);
        return UpstreamErrors.Translate(response, _course.Form.IsJson ? buffer.Written : default, _course.Target.Upstream.Redactor, _course.Request, _course.Time.GetUtcNow());
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
        var storedId = _course.Request.Endpoint.IsStored ? StoredIds.Read(id.In(buffer.Written)) : null;
        return new UpstreamAnswer(response, kind, buffer.Detach(), length, rest, json) { StoredId = storedId };
    }

    /// <summary>All that is of one attempt.</summary>
    private struct Course(ForwardRequest request, Target target, LimitOptions limits, Attempt attempt, bool isLast, TimeProvider time)
    {
        public readonly ForwardRequest Request = request;
        public readonly Target Target = target;
        public readonly LimitOptions Limits = limits;
        public readonly Attempt Attempt = attempt;
        public readonly bool IsLast = isLast;
        public readonly TimeProvider Time = time;
        public HttpResponseMessage? Response;
        public FirstEvents? Events;
        public JsonAnswer? Json;
        public AnswerForm Form;
    }
}
