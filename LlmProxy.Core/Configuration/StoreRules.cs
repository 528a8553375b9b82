namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="StoreOptions"/>.</summary>
internal static class StoreRules
{
    private const int MostDays = 36_500;
    private const long LeastJournal = 8L << 20;
    private const long MostJournal = 1L << 40;

    public static void Check(StoreOptions store, Problems problems)
    {
        if (store.Kind == StoreKind.PostgreSQL)
        {
            if (string.IsNullOrWhiteSpace(store.ConnectionString))
            {
                problems.Error(At("ConnectionString"), "is missing: for example \"${file:/run/secrets/postgres}\", a file that holds \"Host=…;Username=…;Password=…;Database=…\".");
            }
        }
        else
        {
            if (store.ConnectionString is not null)
            {
                problems.Error(At("ConnectionString"), $"means nothing for the store \"{store.Kind}\". Leave it out, or write \"Kind\": \"PostgreSQL\".");
            }

            if (store.WhenCutOff != CutOffShare.Refuse)
            {
                problems.Error(At("WhenCutOff"), $"means nothing for the store \"{store.Kind}\", which shares no limits. Leave it out.");
            }
        }

        if (store.Path is not null && store.Kind == StoreKind.None)
        {
            problems.Error(At("Path"), "means nothing for the store \"None\". Leave it out.");
        }
        else if (store.Path is { } path && (string.IsNullOrWhiteSpace(path) || path.Contains('\0', StringComparison.Ordinal)))
        {
            problems.Error(At("Path"), "is no folder. Name one, or leave it out for the data directory.");
        }

        if (store.KeepDays is < 1 or > MostDays)
        {
            problems.Error(At("KeepDays"), $"is out of range: 1 to {MostDays}. Leave it out to keep everything.");
        }

        if (store.Journal is < LeastJournal or > MostJournal)
        {
            problems.Error(At("Journal"), "is out of range: 8MiB to 1024GiB.");
        }
    }

    private static string At(string name) => Places.Member("Store", name);
}
