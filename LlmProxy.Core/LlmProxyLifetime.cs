using LlmProxy.Core.Accounting;
using LlmProxy.Core.Forwarding;

namespace LlmProxy.Core;

/// <summary>
/// Ends the proxy without losing an answer: refuse what is new, wait for what runs, end the rest with its error frame. An
/// app that does nothing gets the last step a little before its own shutdown timeout. Resolve it from DI.
/// </summary>
public sealed class LlmProxyLifetime
{
    private readonly Accountant _accountant;
    private readonly ClockWheel _wheel;
    private volatile bool _refusesNew;

    internal LlmProxyLifetime(Accountant accountant, ClockWheel wheel)
    {
        _accountant = accountant;
        _wheel = wheel;
    }

    /// <summary>Requests that have begun and not ended.</summary>
    public long ActiveRequests => _accountant.Active;

    /// <summary>New requests are answered with 503 <c>server_shutting_down</c>.</summary>
    public bool RefusesNew => _refusesNew;

    /// <summary>From now on new requests are refused; those that run go on.</summary>
    public void RefuseNew() => _refusesNew = true;

    /// <summary>
    /// Ends everything that still runs: streams get their error frame and an end that nobody takes for a whole answer, others
    /// a 503. Returns at once; <see cref="ActiveRequests"/> says when it is done.
    /// </summary>
    public void EndAll() => _wheel.CutAll(CutOff.Shutdown);
}
