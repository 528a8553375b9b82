using System.Buffers;
using System.Globalization;
using System.Text;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Accounting;

/// <summary>Makes the record of a request that has ended.</summary>
internal static class RecordFactory
{
    private const int MaxModel = 64;

    // Whatever ends a line or steers a terminal: C0, DEL, C1, and Unicode's two separators.
    private static readonly SearchValues<char> Unsafe = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Select(static c => (char)c), '\u2028', '\u2029']);

    public static ExchangeRecord Create(Exchange exchange, long ended, TimeProvider time) => new()
    {
        Id = exchange.Id,
        ClientId = exchange.ClientId,
        Generation = exchange.Generation,
        Started = exchange.StartedAt,
        Duration = time.GetElapsedTime(exchange.Started, ended),
        FirstEvent = exchange.FirstEvent == 0 ? null : time.GetElapsedTime(exchange.Started, exchange.FirstEvent),
        Overhead = time.GetElapsedTime(exchange.Started, exchange.SentUpstream == 0 ? ended : exchange.SentUpstream),
        Operation = exchange.Operation,
        Caller = exchange.Caller,
        Group = exchange.Group,
        Model = Printable(exchange.Model),
        Route = exchange.Route,
        Upstream = exchange.Upstream,
        UpstreamModel = Printable(exchange.UpstreamModel),
        Attempts = exchange.Attempts,
        Tried = exchange.Tried is { } tried ? [.. tried.Select(t => t with { UpstreamModel = Printable(t.UpstreamModel)! })] : [],
        CoalescedWith = exchange.CoalescedWith,
        Status = exchange.Status,
        Streamed = exchange.Streamed,
        End = exchange.End,
        Blame = exchange.Blame switch
        {
            Blame.Client => "client",
            Blame.Upstream => "upstream",
            Blame.Proxy => "proxy",
            _ => null,
        },
        RequestBytes = exchange.RequestBytes,
        ResponseBytes = exchange.ResponseBytes,
        InputTokens = Known(exchange.Usage.Input),
        CachedInputTokens = Known(exchange.Usage.CachedInput),
        OutputTokens = Known(exchange.Usage.Output),
        UsageSource = Settlement.SourceOf(exchange),
        Cost = exchange.Cost,
        KeyName = exchange.Key?.Name,
        TraceId = exchange.Activity?.TraceId.ToHexString(),
    };

    private static long? Known(long count) => count < 0 ? null : count;

    private static string? Printable(string? model)
    {
        if (model is null || (model.Length <= MaxModel && model.AsSpan().IndexOfAny(Unsafe) < 0))
        {
            return model;
        }

        var text = new StringBuilder(MaxModel);
        foreach (var rune in model.EnumerateRunes())
        {
            var length = text.Length;
            if (rune.IsBmp && Unsafe.Contains((char)rune.Value))
            {
                text.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            }
            else
            {
                text.Append(rune);
            }

            if (text.Length > MaxModel)
            {
                text.Length = length;
                break;
            }
        }

        return text.ToString();
    }
}
