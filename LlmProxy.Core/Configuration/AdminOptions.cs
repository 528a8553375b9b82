namespace LlmProxy.Core.Configuration;

/// <summary>Who may use the admin API, and where it stands. Without a key of its own it is served to the local command line alone.</summary>
public sealed class AdminOptions
{
    /// <summary>Keys of the admin API, by name. They open nothing else, and no other key opens it.</summary>
    public IDictionary<string, AdminKeyOptions> Keys { get; } = new Dictionary<string, AdminKeyOptions>(StringComparer.Ordinal);

    /// <summary>
    /// Serves the admin API where the API itself is served, too. Default false: only at <see cref="ListenOptions.Admin"/>. Ignored by the
    /// middleware: an app maps it where it wants.
    /// </summary>
    public bool OnApiPort { get; set; }
}

/// <summary>One key of the admin API. Exactly one of <see cref="Hash"/> and <see cref="Key"/> is given.</summary>
public sealed class AdminKeyOptions
{
    /// <summary><c>sha256:</c> and 64 hexadecimal digits of the key's UTF-8 bytes.</summary>
    public string? Hash { get; set; }

    /// <summary>The key itself, 16 to 200 visible ASCII characters; meant for <c>${NAME}</c>.</summary>
    public string? Key { get; set; }

    /// <summary>It may look at everything and change nothing. Default false.</summary>
    public bool ReadOnly { get; set; }
}
