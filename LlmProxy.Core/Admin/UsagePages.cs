using System.Text.Json;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>The ledger: sums, rows, and what may be put right in it.</summary>
internal sealed class UsagePages(LlmProxyUsage usage, TimeProvider time)
{
    public IEnumerable<AdminRoute> Routes =>
    [
        new("GET", "/usage", SumAsync),
        new("GET", "/usage/rows", ReadAsync),
        new("POST", "/usage/reprice", RepriceAsync),
        new("DELETE", "/end-users/{user}", EraseAsync),
    ];

    private async ValueTask<AdminAnswer> SumAsync(AdminRequest request)
    {
        if (!usage.IsOn)
        {
            return AdminErrors.NoStore;
        }

        if (!UsageReading.Read(request, time.GetUtcNow()).TryGet(out var query, out var error))
        {
            return error;
        }

        var totals = await usage.SumAsync(query, request.Cancellation);
        return AdminAnswer.Ok(json => UsageJson.Write(json, query, totals, usage.WaitingRows));
    }

    private ValueTask<AdminAnswer> ReadAsync(AdminRequest request)
    {
        if (!usage.IsOn)
        {
            return new(AdminErrors.NoStore);
        }

        if (!UsageReading.Read(request, time.GetUtcNow()).TryGet(out var query, out var error))
        {
            return new(error);
        }

        return new(AdminAnswer.Streamed(async http =>
        {
            http.Response.ContentType = "application/x-ndjson";
            await using var json = new Utf8JsonWriter(http.Response.BodyWriter, new JsonWriterOptions { Encoder = ErrorText.JsonOptions.Encoder });
            await foreach (var row in usage.ReadAsync(query, http.RequestAborted))
            {
                RowJson.Write(json, row);
                await json.FlushAsync(http.RequestAborted);
                json.Reset();
                await http.Response.BodyWriter.WriteAsync("\n"u8.ToArray(), http.RequestAborted);
            }
        }));
    }

    private async ValueTask<AdminAnswer> RepriceAsync(AdminRequest request)
    {
        if (!usage.IsOn)
        {
            return AdminErrors.NoStore;
        }

        if (!UsageReading.Read(request, time.GetUtcNow()).TryGet(out var query, out var error))
        {
            return error;
        }

        var isTrial = request.Query("trial") == "true";
        var done = await usage.RepriceAsync(query, isTrial, request.Cancellation);
        return AdminAnswer.Ok(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("rows"u8, done.Rows);
            json.WriteNumber("changed"u8, done.Changed);
            json.WriteNumber("unpriced"u8, done.Unpriced);
            json.WriteNumber("before"u8, done.Before);
            json.WriteNumber("after"u8, done.After);
            json.WriteBoolean("trial"u8, isTrial);
            json.WriteEndObject();
        });
    }

    private async ValueTask<AdminAnswer> EraseAsync(AdminRequest request) => usage.IsOn
        ? Changed(await usage.EraseEndUserAsync(request.Value(0), request.Cancellation))
        : AdminErrors.NoStore;

    private static AdminAnswer Changed(long rows) => AdminAnswer.Ok(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("changed"u8, rows);
        json.WriteEndObject();
    });
}
