using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>An exchange's part in a shared call.</summary>
/// <param name="call">The call.</param>
/// <param name="id">Of the exchange.</param>
/// <param name="request">What it asks for.</param>
internal sealed class SharedPart(SharedCall call, string id, ForwardRequest request) : IDisposable
{
    public string Id => id;

    /// <summary>Its reader of the answer, from the commit on.</summary>
    public SharedStream? Rest { get; set; }

    /// <summary>How it has ended; null as long as it has not. The call's, and set once.</summary>
    public SharedEnd? End { get; set; }

    /// <summary>See <see cref="SharedCall.WasSent"/>.</summary>
    public bool WasSent => call.WasSent;

    /// <summary>See <see cref="SharedCall.Target"/>.</summary>
    public Target? Target => call.Target;

    /// <summary>Waits for the answer. The request's body is given back here.</summary>
    /// <param name="clock">The exchange's.</param>
    public async ValueTask<Result<UpstreamAnswer>> AnswerAsync(ExchangeClock clock)
    {
        request.Body.End();

        // How long its client waits is its own: the call goes on for those who wait longer.
        clock.LimitPatience(ClientTimeout.Of(request.Headers));
        try
        {
            if (!(await call.Committed.WaitAsync(clock.Token)).TryGet(out var shared, out var error))
            {
                return error;
            }

            if (shared.HasOutput)
            {
                clock.EndPatience();
            }
            else
            {
                clock.Begin(CutOff.FirstEvent, shared.Target.Timeouts.FirstEvent);
            }

            return shared.For(Rest!);
        }
        catch (OperationCanceledException) when (clock.Reason != CutOff.None)
        {
            return Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone;
        }
    }

    /// <summary>It ends. What is said first counts.</summary>
    /// <param name="isWhole">With all of the answer.</param>
    /// <param name="relayed">What of it its client was sent.</param>
    public SharedEnd Settle(bool isWhole, in SharedRelay relayed = default) => call.Settle(this, isWhole, relayed);

    /// <summary>It leaves. If something of ours has failed before it could be settled, others answer for the call.</summary>
    public void Dispose()
    {
        Settle(isWhole: false);
        call.Leave(this);
    }
}

/// <summary>How an exchange's part in a shared call has ended.</summary>
/// <param name="IsWhole">With all of the answer.</param>
/// <param name="PaidBy">The id of the exchange that answers for the call in this one's place; null if it is this one.</param>
/// <param name="Relayed">What there is to answer for: of an answer that this one has not had whole, the most that any client was sent.</param>
internal sealed record SharedEnd(bool IsWhole, string? PaidBy, SharedRelay Relayed);

/// <summary>What a client was sent of an answer.</summary>
/// <param name="TextBytes">Bytes of text.</param>
/// <param name="Events">Events with output.</param>
internal readonly record struct SharedRelay(long TextBytes, long Events)
{
    /// <summary>Whichever is more.</summary>
    public SharedRelay Or(in SharedRelay other) => new(Math.Max(TextBytes, other.TextBytes), Math.Max(Events, other.Events));
}
