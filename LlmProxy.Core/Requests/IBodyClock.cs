namespace LlmProxy.Core.Requests;

/// <summary>The exchange's clock, as far as a body that is still arriving needs it.</summary>
internal interface IBodyClock
{
    /// <summary>Cancelled when the exchange is cut off, be it that the body took too long.</summary>
    CancellationToken Token { get; }

    /// <summary>The same for who is known to have let go of it when the exchange ends.</summary>
    CancellationToken OwnToken { get; }

    /// <summary>The body may take this long from now on. Zero: as long as it likes.</summary>
    void BeginBody(TimeSpan longest);

    /// <summary>It is here, or was given up.</summary>
    void EndBody();
}
