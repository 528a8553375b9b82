using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>Reads a stream up to its commit: events without output are held, and the attempt may still be given up.</summary>
/// <param name="request">What was asked.</param>
/// <param name="expectation">What the stream must fulfil.</param>
/// <param name="largestEvent">In bytes.</param>
/// <param name="hasLarger">A target with a larger context window may be asked instead.</param>
internal sealed class FirstEvents(ForwardRequest request, StreamExpectation expectation, int largestEvent, bool hasLarger = false)
{
    private const int FirstRead = 4096;
    private const int MostHeld = 64 * 1024;

    private readonly StreamInspector _inspector = request.Endpoint.Dialect.CreateInspector(expectation);
    private SseScanner _scanner;
    private int _held;

    /// <summary>What the held events say of usage.</summary>
    public Usage Usage => _inspector.Usage;

    /// <param name="response">Whose the stream is.</param>
    /// <param name="body">The stream.</param>
    /// <param name="known">Usage that is known beforehand.</param>
    /// <param name="rawKnown">The same as the upstream wrote it.</param>
    /// <param name="cancellation">The exchange's.</param>
    public async ValueTask<Result<UpstreamAnswer>> ReadAsync(HttpResponseMessage response, Stream body, Usage known, ReadOnlyMemory<byte> rawKnown, CancellationToken cancellation)
    {
        var buffer = new GrowingBuffer(FirstRead);
        try
        {
            while (true)
            {
                // The upstream may think for long: meanwhile no more is kept than what it has said.
                int count;
                var waiting = body.ReadAsync(Memory<byte>.Empty, cancellation);
                if (!waiting.IsCompleted)
                {
                    buffer.Fit();
                }

                if (_held > 0 && request.Held is { } held)
                {
                    var pending = waiting.AsTask();
                    if (!pending.IsCompleted && await Task.WhenAny(pending, held.Asked) != pending)
                    {
                        return Commit(response, ref buffer, new ResumedStream(body, pending), hasOutput: false, known, rawKnown);
                    }

                    count = await pending;
                }
                else
                {
                    count = await waiting;
                }

                count += await body.ReadAsync(buffer.Free(), cancellation);
                if (count == 0)
                {
                    return buffer.Length == 0 ? ProxyErrors.InvalidResponse : ProxyErrors.Truncated;
                }

                buffer.Advance(count);
                if (IsDecided(buffer.Written, out var error))
                {
                    return error ?? (Result<UpstreamAnswer>)Commit(response, ref buffer, body, hasOutput: _held <= MostHeld, known, rawKnown);
                }
            }
        }
        finally
        {
            buffer.Dispose();
        }
    }

    /// <param name="read">All that was read so far.</param>
    /// <param name="error">Null if the attempt commits.</param>
    private bool IsDecided(ReadOnlySpan<byte> read, out ProxyError? error)
    {
        error = null;
        while (_scanner.TryRead(read[_held..], out var found))
        {
            switch (_inspector.Inspect(read.Slice(_held, found.Length), found))
            {
                case StreamEventKind.Output:
                    return true;
                case StreamEventKind.Done:
                    error = _inspector.IsWholeAtDone ? EarlyFailure() : ProxyErrors.InvalidResponse;
                    return true;
                case StreamEventKind.Failure:
                    error = _inspector.Failure;
                    return true;
            }

            _held += found.Length;
        }

        if (read.Length - _held > largestEvent)
        {
            error = ProxyErrors.EventTooLarge;
        }

        return error is not null || _held > MostHeld;
    }

    // Clients know from the event itself that they have to cut their prompt: they get it where nobody takes more.
    private ProxyError? EarlyFailure() => _inspector.EarlyFailure is { Cause: FailureCause.TooLong } && !hasLarger ? null : _inspector.EarlyFailure;

    private UpstreamAnswer Commit(HttpResponseMessage response, ref GrowingBuffer buffer, Stream rest, bool hasOutput, Usage known, ReadOnlyMemory<byte> rawKnown)
    {
        var length = buffer.Length;
        return new UpstreamAnswer(response, AnswerKind.Events, buffer.Detach(), length, rest)
        {
            HasOutput = hasOutput,
            StoredId = _inspector.StoredId,
            KnownUsage = known,
            KnownRawUsage = rawKnown,
        };
    }
}
