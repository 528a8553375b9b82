using LlmProxy.Core.Accounting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmProxy.Core;

/// <summary>Gives requests a ledger.</summary>
public static class LlmProxyLedgerExtensions
{
    /// <summary>
    /// Says where rows of the ledger wait until the <see cref="ILedgerStore"/>, which is registered beside it, has them. An app without
    /// a store has no ledger, and pays nothing for it.
    /// </summary>
    /// <param name="services">The app's.</param>
    /// <param name="configure">For example <c>ledger =&gt; ledger.Directory = "/var/lib/app/journal"</c>.</param>
    public static IServiceCollection AddLlmProxyLedger(this IServiceCollection services, Action<LedgerSettings> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var settings = new LedgerSettings();
        configure(settings);
        services.RemoveAll<LedgerSettings>();
        return services.AddSingleton(settings);
    }
}
