using System.Text.Json;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Groups of keys.</summary>
internal sealed class GroupPages(LlmProxyKeys keys)
{
    public IEnumerable<AdminRoute> Routes =>
    [
        new("GET", "/groups", ListAsync),
        new("POST", "/groups", CreateAsync),
        new("GET", "/groups/{group}", GetAsync),
        new("PATCH", "/groups/{group}", ChangeAsync),
        new("DELETE", "/groups/{group}", RemoveAsync),
    ];

    private ValueTask<AdminAnswer> ListAsync(AdminRequest request)
    {
        ProxyError? error = null;
        var limit = ListPage.LimitOf(request, ref error);
        if (error is not null)
        {
            return new(error);
        }

        var counts = keys.CountByGroup();
        return new(ListPage.Of("groups", keys.ListGroups(request.Query("after")), limit, (json, group) => Write(json, group, counts.GetValueOrDefault(group.Name))));
    }

    private ValueTask<AdminAnswer> GetAsync(AdminRequest request) => new(keys.FindGroup(request.Value(0)) is { } group
        ? AdminAnswer.Ok(json => Write(json, group, keys.CountByGroup().GetValueOrDefault(group.Name)))
        : AdminErrors.NotFound("group", DisplayText.Name(request.Value(0))));

    private async ValueTask<AdminAnswer> CreateAsync(AdminRequest request)
    {
        if (!request.Draft().TryGet(out var draft, out var error))
        {
            return error;
        }

        return draft.Name is null
            ? AdminErrors.InvalidValue("name", "the group's name")
            : Answer(await keys.CreateGroupAsync(draft.Name, draft.Settings ?? "{}", request.Cancellation), isNew: true);
    }

    private async ValueTask<AdminAnswer> ChangeAsync(AdminRequest request)
    {
        if (!request.Draft().TryGet(out var draft, out var error))
        {
            return error;
        }

        return draft.Settings is null
            ? AdminErrors.InvalidValue("settings", "all that the group is to have")
            : Answer(await keys.ChangeGroupAsync(request.Value(0), draft.Settings, draft.Revision, request.Cancellation));
    }

    private async ValueTask<AdminAnswer> RemoveAsync(AdminRequest request)
    {
        var before = keys.FindGroup(request.Value(0));
        var change = await keys.RemoveGroupAsync(request.Value(0), request.Cancellation);
        return AdminChange.ErrorOf(change) is { } error ? error : AdminAnswer.Ok(json => Write(json, before!, 0));
    }

    private AdminAnswer Answer(LlmProxyKeyChange change, bool isNew = false)
    {
        if (AdminChange.ErrorOf(change) is { } error)
        {
            return error;
        }

        var write = (Utf8JsonWriter json) => Write(json, change.Group!, keys.CountByGroup().GetValueOrDefault(change.Group!.Name));
        return isNew ? AdminAnswer.Created(write) : AdminAnswer.Ok(write);
    }

    private static void Write(Utf8JsonWriter json, LlmProxyGroup group, int count)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, group.Name);
        json.WriteString("source"u8, group.IsStored ? "store"u8 : "file"u8);
        json.WriteNumber("keys"u8, count);
        json.WriteNumber("revision"u8, group.Revision);
        json.WritePropertyName("settings"u8);
        json.WriteRawValue(group.Settings);
        json.WriteEndObject();
    }
}
