using System.Text;
using System.Text.Json;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Keys of callers.</summary>
internal sealed class KeyPages(LlmProxyKeys keys, LlmProxyLimits limits)
{
    private const int LongestImport = 64 << 20;

    public IEnumerable<AdminRoute> Routes =>
    [
        new("GET", "/keys", ListAsync),
        new("POST", "/keys", CreateAsync),
        new("POST", "/keys/import", ImportAsync) { ReadsBody = true },
        new("GET", "/keys/{key}", GetAsync),
        new("PATCH", "/keys/{key}", ChangeAsync),
        new("POST", "/keys/{key}/revoke", async request => Answer(await keys.RevokeAsync(request.Value(0), request.Cancellation))),
        new("POST", "/keys/{key}/disable", async request => Answer(await keys.SetDisabledAsync(request.Value(0), true, request.Cancellation))),
        new("POST", "/keys/{key}/enable", async request => Answer(await keys.SetDisabledAsync(request.Value(0), false, request.Cancellation))),
        new("POST", "/keys/{key}/rotate", RotateAsync),
    ];

    private ValueTask<AdminAnswer> ListAsync(AdminRequest request)
    {
        ProxyError? error = null;
        var limit = ListPage.LimitOf(request, ref error);
        var after = request.Query("after") is { } id ? keys.Find(id) : null;
        if (after is null && request.Query("after") is not null)
        {
            error ??= AdminErrors.InvalidValue("after", "the id of a key, as the page before has it last");
        }

        return new(error is not null
            ? error
            : ListPage.Of("keys", keys.List(request.Query("group"), request.Query("revoked") == "true", after), limit, (json, key) => Write(json, key, secret: null, isWhole: false)));
    }

    private ValueTask<AdminAnswer> GetAsync(AdminRequest request) => new(keys.Find(request.Value(0)) is { } key
        ? AdminAnswer.Ok(json => Write(json, key, secret: null, isWhole: true))
        : AdminErrors.NotFound("key", DisplayText.Name(request.Value(0))));

    private async ValueTask<AdminAnswer> CreateAsync(AdminRequest request)
    {
        if (!request.Draft().TryGet(out var draft, out var error))
        {
            return error;
        }

        return draft.Name is null
            ? AdminErrors.InvalidValue("name", "the key's name")
            : Answer(await keys.CreateAsync(draft.Name, draft.Settings ?? "{}", request.Cancellation), isNew: true);
    }

    private async ValueTask<AdminAnswer> ChangeAsync(AdminRequest request)
    {
        if (!request.Draft().TryGet(out var draft, out var error))
        {
            return error;
        }

        return draft.Settings is null
            ? AdminErrors.InvalidValue("settings", "all that the key is to have")
            : Answer(await keys.ChangeAsync(request.Value(0), draft.Settings, draft.Revision, request.Cancellation));
    }

    private async ValueTask<AdminAnswer> RotateAsync(AdminRequest request)
    {
        ProxyError? error = null;
        var overlap = request.Duration("overlap", ref error);
        return error is not null ? error : Answer(await keys.RotateAsync(request.Value(0), overlap ?? TimeSpan.Zero, request.Cancellation));
    }

    private async ValueTask<AdminAnswer> ImportAsync(AdminRequest request)
    {
        if (!(await AdminBody.ReadAsync(request.Http, LongestImport)).TryGet(out var csv, out var tooLarge))
        {
            return tooLarge;
        }

        // A spreadsheet begins its files with a mark that is no part of the first column's name.
        var text = Encoding.UTF8.GetString(csv).TrimStart('\uFEFF');
        var change = await keys.ImportCsvAsync(text, request.Cancellation);
        return AdminChange.ErrorOf(change) is { } error ? error : AdminAnswer.Ok(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("imported"u8, change.Keys.Count);
            json.WriteEndObject();
        });
    }

    private AdminAnswer Answer(LlmProxyKeyChange change, bool isNew = false)
    {
        if (AdminChange.ErrorOf(change) is { } error)
        {
            return error;
        }

        var write = (Utf8JsonWriter json) => Write(json, change.Key!, change.Secret, isWhole: true);
        return isNew ? AdminAnswer.Created(write) : AdminAnswer.Ok(write);
    }

    private void Write(Utf8JsonWriter json, LlmProxyKey key, string? secret, bool isWhole)
    {
        json.WriteStartObject();
        if (secret is not null)
        {
            json.WriteString("key"u8, secret);
        }

        json.WriteString("id"u8, key.Id);
        json.WriteString("name"u8, key.Name);
        json.WriteString("source"u8, key.IsStored ? "store"u8 : "file"u8);
        json.WriteString("state"u8, key.Status switch
        {
            LlmProxyKeyStatus.Disabled => "disabled"u8,
            LlmProxyKeyStatus.Expired => "expired"u8,
            LlmProxyKeyStatus.Revoked => "revoked"u8,
            LlmProxyKeyStatus.Unusable => "unusable"u8,
            _ => "active"u8,
        });
        json.WriteString("tail"u8, key.Tail);
        json.WriteString("group"u8, key.Group);
        UsageJson.Write(json, "created"u8, key.Created);
        UsageJson.Write(json, "expires"u8, key.Expires);
        UsageJson.Write(json, "revoked"u8, key.Revoked);
        UsageJson.Write(json, "former_until"u8, key.FormerUntil);
        json.WriteNumber("revision"u8, key.Revision);
        json.WritePropertyName("settings"u8);
        json.WriteRawValue(key.Settings);
        json.WriteStartArray("limits"u8);
        foreach (var words in AllowanceWords.Of(key.Limits))
        {
            json.WriteStringValue(words);
        }

        json.WriteEndArray();
        if (isWhole)
        {
            WriteRest(json, key);
        }

        json.WriteEndObject();
    }

    private void WriteRest(Utf8JsonWriter json, LlmProxyKey key)
    {
        json.WriteStartArray("models"u8);
        foreach (var model in keys.ModelsOf(key.Id))
        {
            json.WriteStringValue(model);
        }

        json.WriteEndArray();
        json.WriteStartArray("left"u8);
        foreach (var limit in limits.OfKey(key.Id))
        {
            LimitPages.Write(json, limit);
        }

        json.WriteEndArray();
    }
}
