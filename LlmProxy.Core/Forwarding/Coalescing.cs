using System.Collections.Concurrent;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Requests;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Lets identical requests that one caller has under way at the same time share one call. It is no cache: a call is found only
/// while it runs, and what it brought is gone with the last of those who were there.
/// </summary>
internal sealed class Coalescing(Forwarder forwarder, BodyBudget bodies, ClockWheel wheel)
{
    private readonly ConcurrentDictionary<CallIdentity, SharedCall> _calls = new();

    /// <summary>Exchanges in calls that may be joined now.</summary>
    public int Parts => _calls.Values.Sum(static call => call.Parts);

    /// <summary>Joins the call of an identical request, or begins one that others may join.</summary>
    /// <param name="id">Of the exchange.</param>
    /// <param name="request">Its body is still there.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="books">Told of the attempts, if the call is begun.</param>
    /// <returns>Its part in the call, which must be disposed; null if it is a call of its own.</returns>
    public SharedPart? Join(string id, ForwardRequest request, LimitOptions limits, IAttemptBooks books)
    {
        if (!CallIdentity.Suits(request))
        {
            return null;
        }

        var identity = CallIdentity.Of(request, request.Selection.Caller);
        while (true)
        {
            if (_calls.TryGetValue(identity, out var running))
            {
                if (running.TryJoin(id, request) is { } part)
                {
                    return part;
                }

                // It has closed in this moment.
                _calls.TryRemove(new KeyValuePair<CallIdentity, SharedCall>(identity, running));
                continue;
            }

            // The call outlives this exchange if others are there, so it has a body of its own.
            var copy = RequestCopy.TryMake(request, bodies, limits.AllRequestBodies);
            if (copy is null)
            {
                return null;
            }

            var call = new SharedCall(copy, wheel, copy.Selection.First.Timeouts.Total);
            call.OnClosed(() => _calls.TryRemove(new KeyValuePair<CallIdentity, SharedCall>(identity, call)));
            var own = call.TryJoin(id, request)!;
            if (_calls.TryAdd(identity, call))
            {
                call.Begin(forwarder, limits, books);
                return own;
            }

            own.Dispose();
            call.Dispose();
        }
    }
}
