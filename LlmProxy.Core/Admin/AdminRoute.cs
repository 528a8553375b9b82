using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Answers a request of the admin API.</summary>
internal delegate ValueTask<AdminAnswer> AdminHandler(AdminRequest request);

/// <summary>One operation of the admin API.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Behind the prefix, with <c>{name}</c> for a segment that is a value.</param>
/// <param name="Handler">What answers it.</param>
internal sealed record AdminRoute(string Method, string Path, AdminHandler Handler)
{
    private readonly string[] _segments = Path.Split('/', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Keys that may only look may not ask it.</summary>
    public bool Changes { get; init; } = Method != "GET";

    /// <summary>Takes a body that is no JSON, or reads it itself.</summary>
    public bool ReadsBody { get; init; }

    /// <summary>The values in a path; null if it is another one's.</summary>
    public string[]? Match(string[] segments)
    {
        if (segments.Length != _segments.Length)
        {
            return null;
        }

        var values = new List<string>();
        for (var i = 0; i < segments.Length; i++)
        {
            if (_segments[i][0] == '{')
            {
                // A slash in a name comes as %2F, which the server leaves as it is. All else it has decoded: once more would make another name of it.
                values.Add(segments[i].Replace("%2F", "/", StringComparison.OrdinalIgnoreCase));
            }
            else if (_segments[i] != segments[i])
            {
                return null;
            }
        }

        return [.. values];
    }
}

/// <summary>What the admin API answers: an error, or a status and what writes the body.</summary>
internal readonly record struct AdminAnswer(int Status, Action<System.Text.Json.Utf8JsonWriter>? Write, ProxyError? Error)
{
    /// <summary>Answers by itself, for what is too large to be held.</summary>
    public Func<Microsoft.AspNetCore.Http.HttpContext, Task>? Send { get; init; }

    public static AdminAnswer Ok(Action<System.Text.Json.Utf8JsonWriter> write) => new(200, write, null);

    public static AdminAnswer Created(Action<System.Text.Json.Utf8JsonWriter> write) => new(201, write, null);

    public static AdminAnswer Streamed(Func<Microsoft.AspNetCore.Http.HttpContext, Task> send) => new(200, null, null) { Send = send };

    public static implicit operator AdminAnswer(ProxyError error) => new(error.Status, null, error);
}
