using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>Whoever writes down how an answer ended.</summary>
/// <remarks>No delegate: that would be one more object for every stream.</remarks>
internal interface IRelayBooks
{
    /// <summary>Called before the end of an answer goes out. Never waits.</summary>
    void Complete(RelayOutcome outcome);
}

/// <summary>What one relay needs to know besides its two ends.</summary>
/// <param name="Inspector">Watches the events, and says in their dialect what we have to say.</param>
/// <param name="Idle">How far two reads may be apart, from the first output on.</param>
/// <param name="LargestEvent">In bytes.</param>
/// <param name="RequestId">For the error event.</param>
/// <param name="Contact">For the error event.</param>
/// <param name="Filter">The app's filters; null where none is registered.</param>
/// <param name="Books">Are told before the end of an answer goes out.</param>
internal sealed record EventRelayPlan(
    StreamInspector Inspector, TimeSpan Idle, int LargestEvent, string RequestId, string? Contact, ResponseFilters? Filter, IRelayBooks Books);
