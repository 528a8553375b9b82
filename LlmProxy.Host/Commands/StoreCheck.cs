using LlmProxy.Core.Configuration;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stores;

namespace LlmProxy.Host.Commands;

/// <summary>What <c>check --store</c> finds.</summary>
internal static class StoreCheck
{
    /// <param name="configuration">Null: nothing is configured, and the demo's store ends with it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<IReadOnlyList<ConfigurationProblem>> RunAsync(LoadedConfiguration? configuration, CancellationToken cancellation)
    {
        if (configuration is null)
        {
            return [];
        }

        try
        {
            using var store = await OpenedStore.OpenAsync(configuration.Options.Store, isDemo: false, cancellation);
            return [.. (await store.CheckAsync(cancellation)).Select(static text => new ConfigurationProblem(true, 0, "Store", text))];
        }
        catch (RefusedException refused)
        {
            return [new ConfigurationProblem(true, 0, "Store", refused.Message)];
        }
    }
}
