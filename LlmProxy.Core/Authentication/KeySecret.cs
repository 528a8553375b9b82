namespace LlmProxy.Core.Authentication;

/// <summary>What lets a caller in, by its hash. One object per key, shared by all of its requests.</summary>
/// <param name="hash">SHA-256.</param>
/// <param name="until">When it ends by itself, as what a key was before its rotation does; null: with its key.</param>
internal sealed class KeySecret(byte[] hash, DateTimeOffset? until)
{
    public byte[] Hash => hash;

    public DateTimeOffset? Until => until;
}

/// <summary>By what a request was let in, and up to when that has been looked at.</summary>
internal struct KeyHold
{
    private long _state;
    private long _ends;

    /// <param name="secret">Null: no key let it in, and none can end.</param>
    /// <param name="expires">When its caller's key ends; null: never.</param>
    /// <param name="state">Of all keys, from before it was let in; it grows with each change.</param>
    public KeyHold(KeySecret? secret, DateTimeOffset? expires, long state) => Renew(secret, expires, state);

    /// <summary>What let it in.</summary>
    public KeySecret? Secret { get; private set; }

    /// <summary>Something may have ended it since it was looked at: a change of any key, or time.</summary>
    public readonly bool IsDue(long state, DateTimeOffset now) => Secret is not null && (_state != state || now.UtcTicks >= _ends);

    /// <summary>It was found to hold: as what, and until when.</summary>
    public void Renew(KeySecret? secret, DateTimeOffset? expires, long state)
    {
        Secret = secret;
        _ends = Math.Min(secret?.Until?.UtcTicks ?? long.MaxValue, expires?.UtcTicks ?? long.MaxValue);
        _state = state;
    }
}
