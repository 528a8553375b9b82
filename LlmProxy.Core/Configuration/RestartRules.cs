namespace LlmProxy.Core.Configuration;

/// <summary>Members that count from the start of the process on: a reload leaves them as they were, and says so.</summary>
internal static class RestartRules
{
    /// <summary>The paths of members that differ from those the process has started with.</summary>
    public static IReadOnlyList<string> Find(LlmProxyOptions started, LlmProxyOptions now)
    {
        var found = new List<string>();
        Note("Listen", "Api", started.Listen.Api == now.Listen.Api);
        Note("Listen", "Admin", started.Listen.Admin == now.Listen.Admin);
        Note("Listen", "Certificate", started.Listen.Certificate == now.Listen.Certificate);
        Note("Listen", "TrustedProxies", started.Listen.TrustedProxies.SequenceEqual(now.Listen.TrustedProxies));
        Note("Shutdown", "Pause", started.Shutdown.Pause == now.Shutdown.Pause);
        Note("Shutdown", "Deadline", started.Shutdown.Deadline == now.Shutdown.Deadline);
        Note("Cors", "Origins", started.Cors.Origins.SequenceEqual(now.Cors.Origins));
        Note("Admin", "OnApiPort", started.Admin.OnApiPort == now.Admin.OnApiPort);
        var (store, other) = (started.Store ?? new StoreOptions(), now.Store ?? new StoreOptions());
        Note("Store", "Kind", store.Kind == other.Kind);
        Note("Store", "Path", store.Path == other.Path);
        Note("Store", "ConnectionString", store.ConnectionString == other.ConnectionString);
        Note("Store", "KeepDays", store.KeepDays == other.KeepDays);
        Note("Store", "Journal", store.Journal == other.Journal);
        Note("Store", "WhenFull", store.WhenFull == other.WhenFull);
        Note("Store", "WhenCutOff", store.WhenCutOff == other.WhenCutOff);
        return found;

        void Note(string owner, string name, bool isSame)
        {
            if (!isSame)
            {
                found.Add(Places.Member(owner, name));
            }
        }
    }
}
