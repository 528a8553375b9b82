using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>Registers what this folder needs; <see cref="Accountant"/> is what the middleware asks for.</summary>
internal static class AccountingRegistration
{
    public static IServiceCollection AddAccounting(this IServiceCollection services)
    {
        services.AddLogging();
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ProxyMetrics>();
        services.TryAddSingleton<ProxyTracing>();
        services.TryAddSingleton<LoggerRecordSink>();
        services.TryAddSingleton<RecordWriter>();
        services.TryAddSingleton(static provider => new Ledger(
            provider.GetService<ILedgerStore>(), provider.GetService<LedgerSettings>(), provider.GetRequiredService<ProxyMetrics>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<Ledger>>()));
        services.TryAddSingleton<TokenRates>();
        services.TryAddSingleton<Settlement>();
        services.TryAddSingleton<Accountant>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RecordWriter>(
            static provider => provider.GetRequiredService<RecordWriter>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, Ledger>(static provider => provider.GetRequiredService<Ledger>()));
        return services;
    }
}
