using System.Globalization;
using System.Text.Json;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Lists that may be long, a page at a time: <c>limit</c> says how many, <c>after</c> behind which, <c>has_more</c> whether there are others.</summary>
internal static class ListPage
{
    private const int Usual = 100;
    private const int Most = 1000;

    /// <summary>How many are wanted.</summary>
    public static int LimitOf(AdminRequest request, ref ProxyError? error)
    {
        if (request.Query("limit") is not { } text)
        {
            return Usual;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= Most)
        {
            return limit;
        }

        error ??= AdminErrors.InvalidValue("limit", $"a whole number from 1 to {Most}");
        return Usual;
    }

    /// <param name="member">Of the answer.</param>
    /// <param name="all">In their order, from where the page begins.</param>
    /// <param name="limit">How many of them.</param>
    /// <param name="write">Writes one.</param>
    public static AdminAnswer Of<T>(string member, IEnumerable<T> all, int limit, Action<Utf8JsonWriter, T> write)
    {
        var page = all.Take(limit + 1).ToArray();
        return AdminAnswer.Ok(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray(member);
            foreach (var one in page.AsSpan(0, Math.Min(limit, page.Length)))
            {
                write(json, one);
            }

            json.WriteEndArray();
            json.WriteBoolean("has_more"u8, page.Length > limit);
            json.WriteEndObject();
        });
    }
}
