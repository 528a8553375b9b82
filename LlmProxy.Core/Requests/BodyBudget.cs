namespace LlmProxy.Core.Requests;

/// <summary>Bounds the bodies of all requests together, so that many large ones are refused before memory runs out.</summary>
internal sealed class BodyBudget
{
    private long _taken;

    /// <summary>Bytes that are held now.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>Takes some, unless that would pass the limit.</summary>
    public bool TryTake(long bytes, long limit)
    {
        if (Interlocked.Add(ref _taken, bytes) <= limit)
        {
            return true;
        }

        Interlocked.Add(ref _taken, -bytes);
        return false;
    }

    public void GiveBack(long bytes)
    {
        if (bytes != 0)
        {
            Interlocked.Add(ref _taken, -bytes);
        }
    }
}
