using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

internal sealed class PostgresLedgerTests : DatabaseContract
{
    private PostgresDatabase? _database;
    private string _connection = "";

    [TearDown]
    public async Task CloseAsync() => await (_database?.DisposeAsync() ?? ValueTask.CompletedTask);

    protected override async Task<ILedgerStore> OpenAsync()
    {
        _connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        _database = new PostgresDatabase(_connection);
        return new PostgresLedgerStore(_database);
    }

    protected override Task ExecuteAsync(string sqlite, string postgres) => PostgresServer.ExecuteAsync(_connection, postgres);
}

internal sealed class PostgresKeyTests : KeyContract
{
    private readonly List<IAsyncDisposable> _opened = [];
    private string _connection = "";

    [TearDown]
    public async Task CloseAsync()
    {
        foreach (var one in Enumerable.Reverse(_opened))
        {
            await one.DisposeAsync();
        }

        _opened.Clear();
    }

    protected override async Task<IKeyStore> OpenAsync()
    {
        _connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        return OpenOther();
    }

    protected override IKeyStore OpenOther()
    {
        var database = new PostgresDatabase(_connection);
        var store = new PostgresKeyStore(database, TimeProvider.System);
        _opened.AddRange([database, store]);
        return store;
    }
}
