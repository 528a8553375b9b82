using System.Data.Common;
using LlmProxy.Core.Authentication;

namespace LlmProxy.Host.Stores;

/// <summary>Keys and groups as columns; the revision, which the store gives, comes last.</summary>
internal static class KeyColumns
{
    public static readonly string[] Names =
        ["id", "name", "hash", "tail", "former_hash", "former_until", "group_name", "created", "expires", "revoked", "settings", "revision"];

    public static readonly string[] GroupNames = ["name", "settings", "removed", "revision"];

    public static readonly string List = string.Join(", ", Names);

    public static readonly string GroupList = string.Join(", ", GroupNames);

    public static object[] Values(StoredKey key, long revision, IColumnTypes types) =>
    [
        Columns.Text(key.Id), Columns.Text(key.Name), Columns.Text(key.Hash), Columns.Text(key.Tail), Columns.Text(key.FormerHash),
        Time(key.FormerUntil, types), Columns.Text(key.Group), types.Time(key.Created), Time(key.Expires, types), Time(key.Revoked, types),
        Columns.Text(key.Settings), revision,
    ];

    public static object[] Values(StoredGroup group, long revision, IColumnTypes types) =>
        [Columns.Text(group.Name), Columns.Text(group.Settings), types.Flag(group.Removed), revision];

    public static StoredKey ReadKey(DbDataReader row, IColumnTypes types) => new()
    {
        Id = row.GetString(0),
        Name = row.GetString(1),
        Hash = row.GetString(2),
        Tail = row.GetString(3),
        FormerHash = Columns.ReadText(row, 4),
        FormerUntil = Columns.ReadTime(row, 5, types),
        Group = Columns.ReadText(row, 6),
        Created = types.ReadTime(row, 7),
        Expires = Columns.ReadTime(row, 8, types),
        Revoked = Columns.ReadTime(row, 9, types),
        Settings = row.GetString(10),
        Revision = row.GetInt64(11),
    };

    public static StoredGroup ReadGroup(DbDataReader row, IColumnTypes types) => new()
    {
        Name = row.GetString(0),
        Settings = row.GetString(1),
        Removed = types.ReadFlag(row, 2),
        Revision = row.GetInt64(3),
    };

    private static object Time(DateTimeOffset? moment, IColumnTypes types) => moment is { } some ? types.Time(some) : DBNull.Value;
}
