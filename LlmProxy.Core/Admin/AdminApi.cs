using System.Buffers;
using System.Text.Json;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Admin;

/// <summary>The admin API: who may ask, what there is, and one shape of error. Nothing of it is on the way of a request to a model.</summary>
internal sealed partial class AdminApi(AdminRoutes routes, LlmProxySnapshots snapshots, TimeProvider time, ILogger<AdminApi> logger)
{
    private const int LongestBody = 8 << 20;

    private readonly LogPace _refusedPace = new(time);

    /// <summary>Answers a request.</summary>
    /// <param name="http">The request.</param>
    /// <param name="path">Its path behind the prefix.</param>
    /// <param name="trusted">Who asks, where that is known without a key; else null.</param>
    public async Task InvokeAsync(HttpContext http, string path, AdminCaller? trusted)
    {
        var id = RequestIds.Create(time.GetUtcNow());
        AdminAnswer answer;
        try
        {
            answer = await AnswerAsync(http, path, trusted);
            if (answer.Send is not null)
            {
                Prepare(http, id);
                await answer.Send(http);
                return;
            }
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            Log.Failed(logger, e, id);
            answer = e is TimeoutException or IOException or System.Data.Common.DbException ? AdminErrors.StoreUnavailable : ProxyErrors.Internal;
        }

        await WriteAsync(http, answer, id);
    }

    private async ValueTask<AdminAnswer> AnswerAsync(HttpContext http, string path, AdminCaller? trusted)
    {
        var (caller, refused) = trusted is not null ? (trusted, null) : Authenticate(http.Request);
        if (caller is null)
        {
            if (_refusedPace.TryPass())
            {
                Log.Refused(logger, refused!.Code);
            }

            return refused!;
        }

        var (route, values, error) = Find(http.Request.Method, path);
        if (route is null)
        {
            return error!;
        }

        if (route.Changes && caller.IsReadOnly)
        {
            return AdminErrors.ReadOnly;
        }

        // Who needs no key is let in by what a browser sends by itself, whichever page makes it.
        if (route.Changes && trusted is not null && IsOfForeignPage(http.Request))
        {
            return AdminErrors.ForeignPage;
        }

        JsonElement body = default;
        if (!route.ReadsBody && !(await ReadAsync(http)).TryGet(out body, out error))
        {
            return error;
        }

        var answer = await route.Handler(new AdminRequest(http, values, body));
        if (route.Changes)
        {
            Log.Changed(logger, caller.Name, route.Method, DisplayText.Name(path), answer.Status);
        }

        return answer;
    }

    private static bool IsOfForeignPage(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        return site.Length > 0 ? site is not ("same-origin" or "none")
            : request.Headers.Origin.ToString() is { Length: > 0 } origin
                && !(Uri.TryCreate(origin, UriKind.Absolute, out var page) && string.Equals(page.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }

    private (AdminCaller? Caller, ProxyError? Error) Authenticate(HttpRequest request)
    {
        var snapshot = snapshots.Current;
        var written = request.Headers.Authorization.ToString();
        const string Scheme = "Bearer ";
        var key = written.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? written[Scheme.Length..].Trim() : request.Headers["x-llmproxy-key"].ToString();
        if (key.Length > 0 && snapshot.AdminKeys.Find(key) is { } caller)
        {
            return (caller, null);
        }

        return (null, key.Length > 0 && snapshot.Keys.Find(key, time, out _) is not null ? AdminErrors.NotAdmin
            : snapshot.AdminKeys.IsEmpty ? AdminErrors.NoKeys : AdminErrors.Unauthorized);
    }

    private (AdminRoute? Route, string[] Values, ProxyError? Error) Find(string method, string path)
    {
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var others = new List<string>();
        foreach (var route in routes.All)
        {
            if (route.Match(segments) is not { } values)
            {
                continue;
            }

            if (route.Method == method)
            {
                return (route, values, null);
            }

            others.Add(route.Method);
        }

        return (null, [], others.Count == 0
            ? AdminErrors.UnknownUrl(DisplayText.Name(path))
            : ProxyErrors.MethodNotAllowed(DisplayText.Name(method), string.Join(", ", others.Distinct())));
    }

    private static async ValueTask<Result<JsonElement>> ReadAsync(HttpContext http)
    {
        if (!(await AdminBody.ReadAsync(http, LongestBody)).TryGet(out var bytes, out var error))
        {
            return error;
        }

        if (bytes.Length == 0)
        {
            return default(JsonElement);
        }

        try
        {
            using var json = JsonDocument.Parse(bytes);
            return json.RootElement.ValueKind == JsonValueKind.Object ? json.RootElement.Clone() : ProxyErrors.InvalidBody;
        }
        catch (JsonException e)
        {
            return ProxyErrors.InvalidJson(e.BytePositionInLine ?? 0);
        }
    }

    private static void Prepare(HttpContext http, string id)
    {
        http.Response.Headers["x-request-id"] = id;
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.XContentTypeOptions = "nosniff";
    }

    private async Task WriteAsync(HttpContext http, AdminAnswer answer, string id)
    {
        Prepare(http, id);
        if (answer.Error is { } error)
        {
            await ErrorReply.WriteAsync(http, Dialect.Plain, error, snapshots.Current.Options.Contact, new ResponseHeaders(id, null));
            return;
        }

        var output = new ArrayBufferWriter<byte>(1024);
        await using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            answer.Write!(json);
        }

        http.Response.StatusCode = answer.Status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = output.WrittenCount;
        await http.Response.Body.WriteAsync(output.WrittenMemory);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Request {Id} failed in the admin API.")]
        public static partial void Failed(ILogger logger, Exception exception, string id);

        [LoggerMessage(2, LogLevel.Information, "Admin {Caller}: {Method} {Path} was answered with {Status}.")]
        public static partial void Changed(ILogger logger, string caller, string method, string path, int status);

        [LoggerMessage(3, LogLevel.Warning, "The admin API refused a request: {Code}. Told once a minute.")]
        public static partial void Refused(ILogger logger, string code);
    }
}
