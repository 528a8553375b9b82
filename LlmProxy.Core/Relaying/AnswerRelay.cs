using System.Buffers;
using System.Text.Json;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>Passes JSON answers on: held ones whole, large ones as they come.</summary>
internal static class AnswerRelay
{
    private const int Step = 16 * 1024;
    private const int TailLength = 4096;

    // Kestrel's for a response.
    private const int ServerBuffer = 64 * 1024;

    /// <summary>Sends a held answer. Its end is its only piece, so that it is complete before any of it goes out.</summary>
    /// <param name="plan">The response's headers are set.</param>
    /// <param name="answer">Known to be valid.</param>
    /// <param name="filter">The app's filters, if there are any.</param>
    public static async ValueTask<RelayOutcome> SendHeldAsync(RelayPlan plan, UpstreamAnswer answer, ResponseFilters? filter)
    {
        var response = plan.Http.Response;
        var body = Change(answer, AttemptSender.Expect(plan.Request, answer.Target.Upstream));
        if (filter is not null)
        {
            body = await filter.ApplyAsync(body, plan.Clock.Token);
        }

        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        var outcome = RelayOutcome.Take();
        outcome.Usage = answer.Json.Usage;
        outcome.RawUsage = answer.ReadMemory.Slice(answer.Json.RawUsage.Start, answer.Json.RawUsage.Length);
        outcome.TextBytes = body.Length;
        outcome.Bytes = body.Length;
        outcome.Reported = FailureIn(answer, plan);
        plan.Complete(outcome);
        var undelivered = await WriteAsync(plan, answer, body);
        answer.ReleaseRead();
        outcome.Error = undelivered;
        return outcome;
    }

    /// <returns>Why it did not reach the client, as far as that is known.</returns>
    private static async ValueTask<ProxyError?> WriteAsync(RelayPlan plan, UpstreamAnswer answer, ReadOnlyMemory<byte> body)
    {
        var write = plan.Http.Response.BodyWriter.WriteAsync(body, CancellationToken.None);
        if (write.IsCompleted)
        {
            await write;

            // More than the server buffers is only taken at once where it went out, or where its connection ended meanwhile.
            return body.Length > ServerBuffer ? StalledReader.ErrorOf(plan.Clock.Reason, plan.Http) : null;
        }

        plan.Clock.WatchReader(answer.Target.Timeouts.StalledReader, ReaderProgress.SocketOf(plan.Http), ReaderProgress.Probe);
        await StalledReader.WaitAsync(plan.Http, plan.Clock, write);
        return StalledReader.ErrorOf(plan.Clock.Reason, plan.Http);
    }

    /// <summary>Sends a large answer as it comes; its last bytes wait for its end.</summary>
    /// <exception cref="BrokenStreamException">See <see cref="ClientStream.BreakAsync"/>.</exception>
    public static async ValueTask<RelayOutcome> SendLargeAsync(
        RelayPlan plan, ClientStream client, UpstreamAnswer answer, TimeProvider time)
    {
        var clock = plan.Clock;
        plan.Http.Response.ContentType = "application/json";
        await client.BeginAsync();
        var pending = new PendingBytes();
        ProxyError? error = null;
        try
        {
            pending.Append(answer.Read[WriteBeginning(client, answer)..]);
            answer.ReleaseRead();
            while (true)
            {
                await client.FlushAsync();
                var count = await answer.Rest.ReadAsync(pending.GetMemory(), clock.Token);
                if (count == 0)
                {
                    break;
                }

                pending.Advance(count);
                clock.Touch();
                if (pending.Length > Step + TailLength)
                {
                    client.Write(pending.Span[..^TailLength]);
                    pending.Drop(pending.Length - TailLength);
                }
            }

            error = pending.Span.TrimEnd(" \r\n\t"u8).EndsWith("}"u8) ? null : ProxyErrors.Truncated;
        }
        catch (Exception e)
        {
            error = clock.Reason == CutOff.None ? Faults.InAnswer(e) : Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone;
        }

        try
        {
            return await EndLargeAsync(client, pending.Span.ToArray(), error, plan, time);
        }
        finally
        {
            pending.Release();
        }
    }

    /// <summary>Writes what was read but for its end, and without the secrets that an error in it holds.</summary>
    /// <returns>How much of it.</returns>
    private static int WriteBeginning(ClientStream client, UpstreamAnswer answer)
    {
        var end = Math.Max(0, answer.Length - TailLength);
        var error = JsonAnswer.FindError(answer.Read);
        var written = 0;
        if (error.Length > 0 && UpstreamMessage.TryRedactValue(error.In(answer.Read), answer.Target.Upstream.Redactor) is { } clean)
        {
            client.Write(answer.Read[..error.Start]);
            client.Write(clean);
            written = error.End;
        }

        end = Math.Max(end, written);
        client.Write(answer.Read[written..end]);
        return end;
    }

    private static async ValueTask<RelayOutcome> EndLargeAsync(ClientStream client, byte[] tail, ProxyError? error, RelayPlan plan, TimeProvider time)
    {
        if (error is null)
        {
            client.Write(tail);
        }

        ReadOnlyMemory<byte> raw = default;
        var outcome = new RelayOutcome
        {
            Error = error,
            Usage = error is null ? UsageIn(tail, out raw) : Usage.None,
            RawUsage = raw,
            TextBytes = client.Bytes,
            Bytes = client.Bytes,
        };
        plan.Complete(outcome);
        if (error is null)
        {
            outcome = outcome with { Error = await client.EndAsync() };
        }
        else if (error.Status == StatusCodes.Status499ClientClosedRequest)
        {
            client.Abort();
        }
        else
        {
            await client.BreakAsync(time);
        }

        return outcome;
    }

    /// <summary>The usage at the end of a large answer, where embeddings have it.</summary>
    private static Usage UsageIn(byte[] bytes, out ReadOnlyMemory<byte> raw)
    {
        raw = default;
        ReadOnlySpan<byte> tail = bytes;
        var name = "\"usage\""u8;
        var at = tail.LastIndexOf(name);
        if (at < 1 || tail[at - 1] == (byte)'\\')
        {
            return Usage.None;
        }

        var rest = tail[(at + name.Length)..].TrimStart(" \r\n\t:"u8);
        try
        {
            var reader = new Utf8JsonReader(rest);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return Usage.None;
            }

            var usage = UsageReader.Read(ref reader);
            raw = bytes.AsMemory(bytes.Length - rest.Length, (int)reader.BytesConsumed);
            return usage;
        }
        catch (JsonException)
        {
            return Usage.None;
        }
    }

    /// <summary>The failure that a response object tells of itself. Whoever asks for one that is kept gets what was asked for.</summary>
    private static ProxyError? FailureIn(UpstreamAnswer answer, RelayPlan plan)
    {
        var endpoint = plan.Request.Endpoint;
        return answer.Json.ResponseError.Length == 0 || endpoint.HasId
            ? null
            : ReportedFailure.ToError(answer.Json.ResponseError.In(answer.Read), endpoint.Dialect.OverloadedStatus, answer.Target.Upstream.Redactor);
    }

    /// <summary>The answer as it came, but for the model's name where configured and for secrets in an error.</summary>
    private static ReadOnlyMemory<byte> Change(UpstreamAnswer answer, in StreamExpectation expectation)
    {
        var model = new Replacement(answer.Json.Model, answer.Json.Model.Length > 0 ? expectation.AskedModel : default);
        var error = new Replacement(
            answer.Json.ResponseError,
            answer.Json.ResponseError.Length > 0 ? UpstreamMessage.TryRedactValue(answer.Json.ResponseError.In(answer.Read), expectation.Redactor) : null);
        if (model.With.IsEmpty && error.With.IsEmpty)
        {
            return answer.ReadMemory;
        }

        var output = new ArrayBufferWriter<byte>(answer.Length + model.With.Length + error.With.Length);
        var position = 0;
        foreach (var (range, with) in model.Range.Start < error.Range.Start ? (ReadOnlySpan<Replacement>)[model, error] : [error, model])
        {
            if (!with.IsEmpty)
            {
                output.Write(answer.Read[position..range.Start]);
                output.Write(with.Span);
                position = range.End;
            }
        }

        output.Write(answer.Read[position..]);
        return output.WrittenMemory;
    }
}
