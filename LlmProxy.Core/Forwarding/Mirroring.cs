using System.Buffers;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>Told how a copy ended.</summary>
/// <param name="upstream">The mirror's.</param>
/// <param name="error">Null if it was answered; else a code, or why it was not sent.</param>
internal delegate void MirrorNote(string upstream, string? error);

/// <summary>
/// Sends copies of requests to a second target, whose answers nobody gets. A copy has its own body and clock and shares nothing
/// with the exchange that it is of: it neither slows nor outlasts it in any way that a client could see.
/// </summary>
/// <remarks>What is known of a target's health is not learned from copies, and they are not kept from it by that.</remarks>
internal sealed class Mirroring(
    AttemptSender sender, UpstreamClients clients, LiveStates states, BodyBudget bodies, ClockWheel wheel, MirrorNote note) : IDisposable
{
    /// <summary>Copies of one model that may be under way: a mirror that is slow gets fewer, it does not get a queue.</summary>
    public const int MostAtOnce = 32;

    /// <summary>Of an answer; more is not read.</summary>
    public const int MostBytes = 16 << 20;

    public const string Busy = "mirror_busy";
    public const string NoRoom = "mirror_no_room";

    private const int ReadSize = 16 * 1024;
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(10);

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Copies a request, if it is one of those that are copied. To be called before it is sent; all that takes time but the copying happens elsewhere.</summary>
    /// <param name="request">Its body is still there.</param>
    /// <param name="limits">Sizes.</param>
    /// <returns>The target that a copy is sent to; null if none is.</returns>
    public Target? Offer(ForwardRequest request, LimitOptions limits)
    {
        if (request.Route.Route.Mirror is not { } mirror || !Suits(mirror.Target, request)
            || (mirror.Percent < 100 && Random.Shared.Next(100) >= mirror.Percent)
            || Balancer.IsOfOneAccount(request.Endpoint.Operation, request.Body))
        {
            return null;
        }

        var target = mirror.Target;
        var state = request.Selection.State;
        var places = states.Of(target.Upstream).Places;
        if (!state.TryBeginMirror(MostAtOnce))
        {
            note(target.Upstream.Name, Busy);
            return null;
        }

        if (!places.TryEnter())
        {
            state.EndMirror();
            note(target.Upstream.Name, Busy);
            return null;
        }

        // Half of what all bodies may take: copies are the first to be done without.
        var copy = RequestCopy.TryMake(request, bodies, limits.AllRequestBodies / 2);
        var parts = copy is null ? null
            : RequestSplice.TryPlan(copy.Fields, copy.Body.Length, target.ModelJsonFor(request.Route.Star), request.Route.Route.Edits, out _);
        if (parts is null)
        {
            copy?.Body.End();
            places.Exit();
            state.EndMirror();
            note(target.Upstream.Name, NoRoom);
            return null;
        }

        // It may outlast the exchange, and with that the generation of the configuration that has its upstream.
        clients.Retain([target.Upstream]);
        ThreadPool.UnsafeQueueUserWorkItem(
            static copied => _ = copied.Self.RunAsync(copied),
            new Copied(this, copy! with { TraceParent = null, TraceState = null }, target, parts, limits, places, state), preferLocal: false);
        return target;
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _stopping.Dispose();
    }

    // Tags say where a caller's words may go at all. What an upstream keeps is nowhere else.
    private static bool Suits(Target target, ForwardRequest request) =>
        !request.Endpoint.IsBodyless && !request.NamesStored && request.Route.Keeper is null
        && target.Serves(request.Endpoint.Operation, request.Route.Star)
        && target.Upstream.Carries(request.Selection.Caller.UpstreamTags);

    private async Task RunAsync(Copied copied)
    {
        string? error;
        try
        {
            error = await AskAsync(copied);
        }
        catch (Exception e)
        {
            // Nobody waits for it: all there is to do is to count it.
            error = Faults.InAnswer(e).Code;
        }
        finally
        {
            copied.Request.Body.End();
            copied.Places.Exit();
            copied.State.EndMirror();
            clients.Release([copied.Target.Upstream]);
        }

        note(copied.Target.Upstream.Name, error);
    }

    private async ValueTask<string?> AskAsync(Copied copied)
    {
        using var clock = new ExchangeClock(wheel, _stopping.Token);
        var total = copied.Target.Timeouts.Total;
        clock.LimitTotal(total > TimeSpan.Zero && total < _longest ? total : _longest);
        using var attempt = new Attempt(clock, mayFollow: false);
        var reader = sender.Prepare(copied.Request, copied.Target, copied.Limits, attempt, isLast: true);
        Result<UpstreamAnswer> result;
        try
        {
            var response = await sender.SendAsync(copied.Request, copied.Target, copied.Parts, attempt);
            result = reader.Settle(await reader.ReadAsync(response));
        }
        catch (Exception e)
        {
            result = reader.FailureOf(e);
        }

        reader.Close(result);
        if (!result.TryGet(out var answer, out var error))
        {
            return error.Code;
        }

        using (answer)
        {
            clock.WatchIdle(copied.Target.Timeouts.Idle);
            return await DropAsync(answer, clock);
        }
    }

    private static async ValueTask<string?> DropAsync(UpstreamAnswer answer, ExchangeClock clock)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ReadSize);
        try
        {
            long read = answer.Length;
            for (int count; (count = await answer.Rest.ReadAsync(buffer, clock.Token)) > 0;)
            {
                clock.Touch();
                read += count;
                if (read > MostBytes)
                {
                    return ProxyErrors.AnswerTooLarge.Code;
                }
            }

            return null;
        }
        catch (Exception e) when (clock.Reason != CutOff.None)
        {
            _ = e;
            return (Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone).Code;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private sealed record Copied(
        Mirroring Self, ForwardRequest Request, Target Target, BodyPart[] Parts, LimitOptions Limits, Balancing.Places Places, RouteState State);
}
