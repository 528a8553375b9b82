using System.Globalization;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>What of the ledger a query asks for.</summary>
internal static class UsageReading
{
    private static readonly (string Word, UsageKey Key)[] _keys =
    [
        ("key", UsageKey.Key), ("group", UsageKey.Group), ("user", UsageKey.EndUser),
        ("model", UsageKey.Model), ("upstream", UsageKey.Upstream), ("time", UsageKey.Time),
    ];

    /// <summary>The word for it, in queries and in answers.</summary>
    public static string WordOf(UsageKey key) => Array.Find(_keys, k => k.Key == key).Word;

    public static Result<UsageQuery> Read(AdminRequest request, DateTimeOffset now)
    {
        ProxyError? error = null;
        var since = Time(request, "since", now, ref error);
        var until = Time(request, "until", now, ref error);
        var by = new List<UsageKey>();
        foreach (var word in request.Words("by"))
        {
            if (Array.FindIndex(_keys, k => k.Word == word) is >= 0 and var index)
            {
                by.Add(_keys[index].Key);
            }
            else
            {
                error ??= AdminErrors.InvalidValue("by", "of " + string.Join(", ", _keys.Select(static k => k.Word)));
            }
        }

        UsageBucket? bucket = request.Query("bucket") switch
        {
            null or "day" => UsageBucket.Day,
            "hour" => UsageBucket.Hour,
            "month" => UsageBucket.Month,
            _ => null,
        };
        if (bucket is null)
        {
            error ??= AdminErrors.InvalidValue("bucket", "hour, day or month");
        }

        var limit = 0;
        if (request.Query("limit") is { } text && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit > 0))
        {
            error ??= AdminErrors.InvalidValue("limit", "a whole number from 1");
        }

        return error is not null ? error : new UsageQuery
        {
            Since = since,
            Until = until,
            Keys = request.Queries("key"),
            Groups = request.Queries("group"),
            EndUsers = request.Queries("user"),
            Models = request.Queries("model"),
            Upstreams = request.Queries("upstream"),
            By = [.. by.Distinct()],
            Bucket = bucket ?? UsageBucket.Day,
            Limit = limit,
        };
    }

    /// <summary>A date, an instant, or how long ago.</summary>
    private static DateTimeOffset? Time(AdminRequest request, string name, DateTimeOffset now, ref ProxyError? error)
    {
        if (request.Query(name) is not { } text)
        {
            return null;
        }

        if (ShortTime.Parse(text) is { } ago)
        {
            return now - ago;
        }

        return AdminRequest.Instant(name, text, ref error);
    }
}
