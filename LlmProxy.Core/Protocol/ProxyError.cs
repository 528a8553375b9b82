namespace LlmProxy.Core.Protocol;

/// <summary>A refusal or failure that knows what the client is told. A value, not an exception.</summary>
/// <remarks>All of them are made in <see cref="ProxyErrors"/>, the one table of codes.</remarks>
internal sealed record ProxyError(int Status, string Code, string Message)
{
    /// <summary>The parameter or header at fault, as the client wrote it.</summary>
    public string? Param { get; init; }

    public Blame Blame { get; init; } = Blame.Client;

    /// <summary>What it says about the target that was asked.</summary>
    public FailureCause Cause { get; init; }

    /// <summary>How long the target is left alone for it, in milliseconds; 0: for no time of its own.</summary>
    public int CoolForMs { get; init; }

    /// <summary>The target asked for that in so many words, rather than that it followed from its limits.</summary>
    public bool IsPauseAsked { get; init; }

    /// <summary>When to come back; 0 where the status asks for none.</summary>
    public int RetryAfterMs { get; init; }

    /// <summary>No retry can help: clients that listen are told so.</summary>
    public bool IsFinal { get; init; }

    /// <summary>The methods of the path, for a 405.</summary>
    public string? Allow { get; init; }

    /// <summary>The rest of the request is not read and the connection ends with this answer.</summary>
    public bool ClosesConnection { get; init; }

    /// <summary>The same target may be asked once more: nothing of an answer came, and the reason lay in a connection that was used again.</summary>
    public bool MayRepeat { get; init; }

    /// <summary>An upstream's own error body, secrets taken out, that goes out instead of ours where the dialect passes such bodies.</summary>
    public byte[]? Body { get; init; }

    /// <summary>The upstream's own error object, secrets taken out, on one line; for dialects whose clients go by its wording.</summary>
    public byte[]? Original { get; init; }

    public string Type => Status switch
    {
        403 => "permission_error",
        429 => Code == ProxyErrors.InsufficientQuotaCode ? Code : "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };
}

/// <summary>A value or the error instead of it.</summary>
internal readonly struct Result<T>
{
    private Result(T? value, ProxyError? error)
    {
        Value = value;
        Error = error;
    }

    public T? Value { get; }

    public ProxyError? Error { get; }

    public bool TryGet([System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T value, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out ProxyError? error)
    {
        value = Value;
        error = Error;
        return error is null;
    }

    public static implicit operator Result<T>(T value) => new(value, null);

    public static implicit operator Result<T>(ProxyError error) => new(default, error);
}
