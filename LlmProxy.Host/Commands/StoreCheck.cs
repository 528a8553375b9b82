using LlmProxy.Core.Configuration;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stores;

namespace LlmProxy.Host.Commands;

/// <summary>What <c>check --store</c> finds.</summary>
internal static class StoreCheck
{
    /// <param name="configuration">Null: nothing is configured, and the demo's store ends with it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<IReadOnlyList<ConfigurationProblem>> RunAsync(LoadedConfiguration? configuration, CancellationToken cancellation) => configuration is null
        ? []
        : [.. (await StoreInspection.RunAsync(configuration.Options.Store, cancellation)).Select(static found => new ConfigurationProblem(found.IsError, 0, "Store", found.Text))];
}
