using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>Asks upstreams until one commits: the front door of the seventh stage.</summary>
internal sealed class Forwarder(AttemptSender sender, Mirroring mirroring, TimeProvider time)
{
    /// <summary>Asks one target after another until one commits, nobody is left, or another would do no better.</summary>
    /// <param name="request">What the client asks for, and whom to ask. Once somebody has committed, its body is given back; where nobody does, by who ends it.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="clock">The exchange's: bounds all attempts together.</param>
    /// <param name="books">Told of every attempt as it happens.</param>
    public ValueTask<Result<UpstreamAnswer>> SendAsync(
        ForwardRequest request, LimitOptions limits, ExchangeClock clock, IAttemptBooks books)
    {
        // Before: once somebody has committed, the body is given back and nobody knows its places any more.
        if (request.Selection.Route.Mirror is not null)
        {
            if (mirroring.Offer(request, limits) is { } mirror)
            {
                books.Note(new AttemptNote(AttemptStage.Copied, mirror, null, 0));
            }
        }

        if ((request.Seen & ClientHeaders.Timeout) != 0)
        {
            clock.LimitPatience(ClientTimeout.Of(request.Headers));
        }

        return Failover.RunAsync(new AttemptSeries(request, limits, clock, sender, books, time));
    }
}
