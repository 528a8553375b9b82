using LlmProxy.Core.Forwarding;

namespace LlmProxy.Tests.Forwarding;

internal sealed class CountingSleeper : ISleeper
{
    private int _wakes;

    public int Wakes => Volatile.Read(ref _wakes);

    public void Wake() => Interlocked.Increment(ref _wakes);
}
