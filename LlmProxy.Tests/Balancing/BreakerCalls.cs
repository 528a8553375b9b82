using LlmProxy.Core.Balancing;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

/// <summary>An attempt as a breaker sees it.</summary>
internal static class BreakerCalls
{
    /// <returns>False if it was not let through.</returns>
    public static async ValueTask<bool> RunAsync<TState>(this Breaker breaker, Func<TState, ValueTask<AttemptEnd>> attempt, TState state)
    {
        if (!breaker.TryPass(isForced: false, out BreakerPass pass))
        {
            return false;
        }

        await breaker.TellAsync(pass, await attempt(state));
        return true;
    }

    public static async ValueTask RunOpenAsync<TState>(this Breaker breaker, Func<TState, ValueTask<AttemptEnd>> attempt, TState state)
    {
        Assert.That(breaker.TryPass(isForced: true, out BreakerPass pass), Is.True);
        await breaker.TellAsync(pass, await attempt(state));
    }
}
