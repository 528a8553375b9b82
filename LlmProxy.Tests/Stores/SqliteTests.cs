using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Host.Stores;
using Microsoft.Data.Sqlite;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

internal sealed class SqliteLedgerTests : DatabaseContract
{
    private readonly SqliteFolder _folder = new();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    protected override Task<ILedgerStore> OpenAsync() => Task.FromResult<ILedgerStore>(_folder.Ledger());

    protected override async Task ExecuteAsync(string sqlite, string postgres)
    {
        await using var connection = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sqlite;
        await command.ExecuteNonQueryAsync();
    }
}

internal sealed class SqliteKeyTests : KeyContract
{
    private readonly SqliteFolder _folder = new();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    protected override Task<IKeyStore> OpenAsync() => Task.FromResult<IKeyStore>(_folder.Keys());

    protected override IKeyStore OpenOther() => _folder.Keys();
}

/// <summary>A database in a folder of its own, and what was opened of it; gone after each test.</summary>
internal sealed class SqliteFolder : IDisposable
{
    private readonly List<IDisposable> _opened = [];
    private string? _path;

    public string Path => _path ??= Directory.CreateTempSubdirectory("llmproxy-sqlite-").FullName;

    public string File => System.IO.Path.Combine(Path, "llmproxy.db");

    public SqliteLedgerStore Ledger(StoreHealth? health = null) => Keep(new SqliteLedgerStore(File, health));

    public SqliteKeyStore Keys() => Keep(new SqliteKeyStore(File, TimeProvider.System));

    public void Close()
    {
        _opened.ForEach(static one => one.Dispose());
        _opened.Clear();
    }

    public void Dispose()
    {
        Close();
        if (_path is not null)
        {
            Directory.Delete(_path, recursive: true);
            _path = null;
        }
    }

    private T Keep<T>(T opened)
        where T : IDisposable
    {
        _opened.Add(opened);
        return opened;
    }
}
