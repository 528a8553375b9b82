using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Stores;

/// <summary>
/// The store of this run, looked at before anything is served: what was configured works or is refused with the reason; what is only the
/// default is done without where it cannot be, with a warning.
/// </summary>
internal sealed class OpenedStore : IDisposable
{
    public const string NoLibrary = "The library e_sqlite3, which belongs beside the executable, is missing.";

    private const string DatabaseName = "llmproxy.db";

    private readonly StoreOptions _options;
    private readonly string? _data;
    private readonly bool _isTemporary;

    private OpenedStore(StoreOptions options, string? data, bool isTemporary, string? warning)
    {
        (_options, _data, _isTemporary) = (options, data, isTemporary);
        Warning = warning;
    }

    public StoreKind Kind => _options.Kind;

    /// <summary>What people should know of it; null: nothing.</summary>
    public string? Warning { get; }

    /// <summary>The SQLite file; null if there is none.</summary>
    public string? File => Kind == StoreKind.SQLite ? Path.Combine(_data!, DatabaseName) : null;

    /// <summary>Opens what is configured.</summary>
    /// <param name="configured">Null: the default.</param>
    /// <param name="isDemo">What the demo keeps ends with it, and mixes with nothing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RefusedException">It cannot be used.</exception>
    public static async Task<OpenedStore> OpenAsync(StoreOptions? configured, bool isDemo, CancellationToken cancellationToken)
    {
        if (configured is not null)
        {
            try
            {
                return await OpenAsync(configured, Folder(configured), isTemporary: false, cancellationToken);
            }
            catch (Exception e) when (IsLibraryMissing(e))
            {
                throw new RefusedException(NoLibrary);
            }
        }

        string? data = null;
        try
        {
            data = isDemo ? Directory.CreateTempSubdirectory("llmproxy-demo-").FullName : Folder(new StoreOptions());
            return await OpenAsync(new StoreOptions(), data, isDemo, cancellationToken);
        }
        // Where there is a database already, keys and budgets are in it: it is not done without.
        catch (Exception e) when ((e is RefusedException or IOException or UnauthorizedAccessException || IsLibraryMissing(e)) && !IsThere(data))
        {
            return new OpenedStore(new StoreOptions { Kind = StoreKind.None }, data: null, isTemporary: false,
                $"Nothing is kept beyond this run, neither keys nor usage: {(IsLibraryMissing(e) ? NoLibrary : e.Message)} "
                + "Name a folder in LLMPROXY_DATA, or write \"Store\": \"None\" if that is meant.");
        }
        catch (Exception e) when (IsLibraryMissing(e))
        {
            throw new RefusedException(NoLibrary);
        }
    }

    /// <summary>Registers the stores. What they open is closed with the app.</summary>
    public void Register(IServiceCollection services)
    {
        if (Kind == StoreKind.None)
        {
            return;
        }

        services.AddSingleton<StoreHealth>();
        if (File is { } file)
        {
            services.AddSingleton<IKeyStore>(provider => new SqliteKeyStore(file, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<StoreHealth>()));
            services.AddSingleton<ILedgerStore>(provider => new SqliteLedgerStore(file, provider.GetRequiredService<StoreHealth>()));
        }
        else
        {
            services.AddSingleton(provider => new PostgresDatabase(_options.ConnectionString!, provider.GetRequiredService<StoreHealth>()));
            services.AddSingleton<IKeyStore>(static provider => new PostgresKeyStore(provider.GetRequiredService<PostgresDatabase>(), provider.GetRequiredService<TimeProvider>()));
            services.AddSingleton<ILedgerStore>(static provider => new PostgresLedgerStore(provider.GetRequiredService<PostgresDatabase>()));
            services.AddSingleton(static provider => new PostgresLimitStore(provider.GetRequiredService<PostgresDatabase>()));
            services.AddSingleton<ILimitStore>(static provider => provider.GetRequiredService<PostgresLimitStore>());
        }

        services.AddLlmProxyKeySnapshot(Path.Combine(_data!, "keys.snapshot"));
        services.AddLlmProxyLedger(ledger =>
        {
            ledger.Directory = Path.Combine(_data!, "journal");
            (ledger.Journal, ledger.WhenFull, ledger.KeepDays) = (_options.Journal, _options.WhenFull, _options.KeepDays);
        });
        services.AddSingleton<IHostedService>(provider => new StoreCare(_data!, provider));
    }

    /// <summary>After the app has ended.</summary>
    public void Dispose()
    {
        if (_isTemporary)
        {
            try
            {
                Directory.Delete(_data!, recursive: true);
            }
            catch (IOException)
            {
                // Somebody looks into it; the system clears away what is temporary.
            }
        }
    }

    private static async Task<OpenedStore> OpenAsync(StoreOptions options, string? data, bool isTemporary, CancellationToken cancellationToken)
    {
        if (options.Kind == StoreKind.None)
        {
            return new OpenedStore(options, data: null, isTemporary: false, warning: null);
        }

        var folder = data ?? throw new RefusedException("There is no folder for the store: neither LLMPROXY_DATA nor STATE_DIRECTORY nor HOME is set.");
        DataFolder.Make(folder);
        if (options.Kind == StoreKind.SQLite)
        {
            return new OpenedStore(options, folder, isTemporary, SqliteDatabase.Prepare(Path.Combine(folder, DatabaseName)));
        }

        await using var database = new PostgresDatabase(options.ConnectionString!);
        return new OpenedStore(options, folder, isTemporary, await database.TryPrepareAsync(cancellationToken));
    }

    private static string? Folder(StoreOptions options) => options.Path is { } path ? Path.GetFullPath(path) : DataFolder.Find();

    private static bool IsThere(string? data) =>
        data is not null && new FileInfo(Path.Combine(data, DatabaseName)) is { Exists: true, Length: > 0 };

    /// <summary>The SQLite file of a configuration, whether or not it is there; null if there is no folder for it.</summary>
    public static string? FileOf(StoreOptions options) => Folder(options) is { } folder ? Path.Combine(folder, DatabaseName) : null;

    public static bool IsLibraryMissing(Exception e) => e.GetBaseException() is DllNotFoundException;
}
