using LlmProxy.Core.Configuration;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>Looks at a store and leaves it as it is, its version included: an instance of another version may be working on it.</summary>
internal static class StoreInspection
{
    /// <summary>What is wrong with it, or doubtful; empty: nothing.</summary>
    /// <param name="configured">Null: the default.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<IReadOnlyList<(bool IsError, string Text)>> RunAsync(StoreOptions? configured, CancellationToken cancellationToken)
    {
        var options = configured ?? new StoreOptions();
        try
        {
            return options.Kind switch
            {
                StoreKind.SQLite => await Task.Run(() => InspectFile(OpenedStore.FileOf(options), cancellationToken), cancellationToken),
                StoreKind.PostgreSQL => await InspectServerAsync(options.ConnectionString!, cancellationToken),
                _ => [],
            };
        }
        catch (RefusedException e)
        {
            return [(true, e.Message)];
        }
        catch (Exception e) when (OpenedStore.IsLibraryMissing(e))
        {
            return [(true, OpenedStore.NoLibrary)];
        }
    }

    private static List<(bool IsError, string Text)> InspectFile(string? path, CancellationToken cancellationToken)
    {
        if (path is null || !File.Exists(path))
        {
            return [(false, path is null ? "there is no folder for it: neither LLMPROXY_DATA nor STATE_DIRECTORY nor HOME is set." : $"{path} is not there; the start of an instance makes it.")];
        }

        try
        {
            using var connection = SqliteDatabase.OpenToLook(path);
            using var ending = cancellationToken.UnsafeRegister(static handle => SQLitePCL.raw.sqlite3_interrupt((SQLitePCL.sqlite3)handle!), connection.Handle);
            var found = Versions(path, SqliteSchema.Read(connection, path), SqliteSchema.Current);
            using var check = connection.Command("PRAGMA integrity_check");
            check.CommandTimeout = 0;
            using var rows = check.ExecuteReader();
            while (rows.Read())
            {
                if (rows.GetString(0) is not "ok" and var problem)
                {
                    found.Add((true, problem));
                }
            }

            return found;
        }
        catch (SqliteException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return [(true, SqliteDatabase.Explain(path, e))];
        }
    }

    private static async Task<List<(bool IsError, string Text)>> InspectServerAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var database = new PostgresDatabase(connectionString);
        try
        {
            return Versions("PostgreSQL", await database.ReadVersionAsync(cancellationToken), PostgresSchema.Current);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException)
        {
            return [(true, StoreHealth.Explain(e))];
        }
    }

    private static List<(bool IsError, string Text)> Versions(string what, int version, int current) => version switch
    {
        0 => [(false, $"{what} has no tables yet; \"llmproxy migrate\", or the start of an instance, makes them (schema {SqliteSchema.Text(current)}).")],
        _ when version < current =>
            [(false, $"{what} is at schema {SqliteSchema.Text(version)}; \"llmproxy migrate\", or the start of an instance of this version, brings it to {SqliteSchema.Text(current)}.")],
        _ => [],
    };
}
