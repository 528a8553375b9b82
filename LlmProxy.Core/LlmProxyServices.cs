using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admin;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmProxy.Core;

/// <summary>Registers the stages, in their order.</summary>
internal static class LlmProxyServices
{
    /// <summary>What messages call options that were made in code.</summary>
    public const string Code = "The LlmProxy options";

    /// <summary>The category of what is doubtful in the configuration at the start.</summary>
    private const string WarningCategory = "LlmProxy.Core.Configuration";

    /// <param name="services">The app's.</param>
    /// <param name="source">Where the options come from, now and whenever they change.</param>
    public static void AddLlmProxyCore(this IServiceCollection services, OptionsSource source)
    {
        source.HasKeyStore = () => HasKeyStore(services);
        var first = source.Read();
        if (first.Error is { } unusable)
        {
            throw unusable;
        }

        AddStages(services, first, source, source.Name);
    }

    /// <param name="services">The app's.</param>
    /// <param name="options">Validated.</param>
    /// <param name="warnings">Logged when the app starts.</param>
    public static void AddLlmProxyCore(this IServiceCollection services, LlmProxyOptions options, IReadOnlyList<ConfigurationProblem> warnings)
    {
        if (!HasKeyStore(services) && LlmProxyConfiguration.FindMissingCallers(options) is { } missing)
        {
            throw new LlmProxyConfigurationException(Code, [missing]);
        }

        AddStages(services, new OptionsReading { Options = options, Warnings = warnings, Files = [], Digest = "" }, source: null, Code);
    }

    // An app that keeps its keys in a store may have none in its configuration.
    private static bool HasKeyStore(IServiceCollection services) => services.Any(static s => s.ServiceType == typeof(IKeyStore));

    private static void AddStages(IServiceCollection services, OptionsReading first, OptionsSource? source, string name)
    {
        if (services.Any(s => s.ServiceType == typeof(LlmProxyMiddleware)))
        {
            throw new InvalidOperationException("AddLlmProxy has been called before: an app has one proxy.");
        }

        services.TryAddSingleton(TimeProvider.System);
        var stored = new StoredKeys();
        services.AddSingleton(stored);
        services.AddSingleton(new LlmProxySnapshots(new LlmProxySnapshot(first.Options!, stored: stored)));
        AddKeys(services);
        services.AddSingleton<BodyBudget>();
        services.AddSingleton<LoopGuard>();
        services.AddSingleton<RequestReader>();
        services.AddSingleton(new StoredResponses());
        AddAdmission(services);
        AddForwarding(services);
        services.AddSingleton<Relay>();
        services.AddAccounting();
        services.AddSingleton(provider => new LlmProxyLifetime(provider.GetRequiredService<Accountant>(), provider.GetRequiredService<ClockWheel>()));
        services.AddSingleton<LlmProxyMiddleware>();
        services.AddSingleton(provider => new LlmProxyUsage(
            provider.GetService<ILedgerStore>(), provider.GetRequiredService<Ledger>(), provider.GetRequiredService<LlmProxySnapshots>(), provider.GetRequiredService<Meters>()));
        services.AddSingleton(provider => new LlmProxyExplainer(provider.GetRequiredService<LlmProxyMiddleware>()));
        AddAuthorizationResults(services);
        services.AddSingleton<IHostedService>(provider => new StartNotes(
            first.Warnings, name, provider.GetRequiredService<Accountant>(), provider.GetRequiredService<LlmProxySnapshots>(),
            provider.GetRequiredService<LiveStates>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger(WarningCategory)));
        services.AddSingleton<IHostedService, LastResort>();
        services.AddSingleton<IHostedService, KeyWatch>();
        services.AddSingleton(provider => new LlmProxyReload(
            source, first, provider.GetRequiredService<LlmProxySnapshots>(), provider.GetRequiredService<UpstreamClients>(),
            provider.GetRequiredService<LiveStates>(), provider.GetRequiredService<Accountant>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LlmProxyReload>>()));
        services.AddSingleton<IHostedService, ReloadWatch>();
        AddHealth(services);
        AddAdmin(services);
    }

    private static void AddAdmin(IServiceCollection services)
    {
        services.AddSingleton<KeyPages>();
        services.AddSingleton<LimitPages>();
        services.AddSingleton<GroupPages>();
        services.AddSingleton<UsagePages>();
        services.AddSingleton<StatePages>();
        services.AddSingleton<AdminRoutes>();
        services.AddSingleton<AdminApi>();
    }

    private static void AddAdmission(IServiceCollection services)
    {
        services.AddSingleton(provider =>
        {
            var snapshots = provider.GetRequiredService<LlmProxySnapshots>();
            return new LimitSharing(
                provider.GetService<ILimitStore>(), () => snapshots.Current.Options.Store?.WhenCutOff ?? default,
                provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LimitSharing>>());
        });
        services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<LimitSharing>());
        services.AddSingleton(provider =>
        {
            var snapshots = provider.GetRequiredService<LlmProxySnapshots>();
            return new Meters(
                provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<LimitSharing>(),
                group => snapshots.Current.Keys.FindGroup(group)?.Options.EndUser?.Budget?.Total is not null);
        });
        services.AddSingleton(provider => new LlmProxyLimits(provider.GetRequiredService<LlmProxySnapshots>(), new LimitStates(provider.GetRequiredService<Meters>())));
        services.AddSingleton<ConcurrencyGate>();
        services.AddSingleton<AnswerBook>();
        services.AddSingleton<Admitter>();
        services.AddSingleton<IHostedService, SpendBefore>();
    }

    private static void AddKeys(IServiceCollection services)
    {
        services.AddSingleton<FailedAttempts>();
        services.AddSingleton(provider =>
        {
            var snapshots = provider.GetRequiredService<LlmProxySnapshots>();
            return new KeyStoreFollower(
                provider.GetService<IKeyStore>(), provider.GetRequiredService<StoredKeys>(), provider.GetService<KeySnapshotFile>(),
                name => snapshots.Current.Options.Keys.ContainsKey(name), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<KeyStoreFollower>>());
        });
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<KeyStoreFollower>());
        services.AddSingleton(provider => new LlmProxyKeys(
            provider.GetRequiredService<LlmProxySnapshots>(), provider.GetRequiredService<KeyStoreFollower>(), provider.GetService<IKeyStore>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LlmProxyKeys>>()));
    }

    private static void AddHealth(IServiceCollection services)
    {
        services.AddSingleton<HealthProbe>();
        services.AddSingleton(provider => new LlmProxyStatus(
            UpstreamsOf(provider), provider.GetRequiredService<LiveStates>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IHostedService>(provider =>
        {
            var lifetime = provider.GetRequiredService<LlmProxyLifetime>();
            return new HealthChecks(
                UpstreamsOf(provider), upstream => Hold(provider.GetRequiredService<LlmProxySnapshots>(), upstream), () => lifetime.RefusesNew, provider.GetRequiredService<LiveStates>(),
                provider.GetRequiredService<HealthProbe>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<HealthChecks>>());
        });
    }

    private static Action? Hold(LlmProxySnapshots snapshots, Upstream upstream)
    {
        var snapshot = snapshots.Hold();
        if (snapshot.Routes.Upstreams.Contains(upstream))
        {
            return snapshot.Release;
        }

        snapshot.Release();
        return null;
    }

    private static Func<IReadOnlyList<Upstream>> UpstreamsOf(IServiceProvider provider)
    {
        var snapshots = provider.GetRequiredService<LlmProxySnapshots>();
        return () => snapshots.Current.Routes.Upstreams;
    }

    private static void AddForwarding(IServiceCollection services)
    {
        services.AddSingleton<ClockWheel>();
        services.AddSingleton<UpstreamClients>();
        services.AddSingleton(provider => new LiveStates(provider.GetRequiredService<TimeProvider>(), logger: provider.GetRequiredService<ILogger<Breaker>>()));
        services.AddSingleton<Balancer>();
        services.AddSingleton<AttemptSender>();
        services.AddSingleton(provider => new Mirroring(
            provider.GetRequiredService<AttemptSender>(), provider.GetRequiredService<UpstreamClients>(), provider.GetRequiredService<LiveStates>(),
            provider.GetRequiredService<BodyBudget>(), provider.GetRequiredService<ClockWheel>(), provider.GetRequiredService<Accountant>().Mirrored));
        services.AddSingleton<Forwarder>();
        services.AddSingleton<Coalescing>();
        services.AddSingleton(provider => new UpstreamHandlers(name => provider.GetRequiredService<IOptionsMonitor<HttpClientFactoryOptions>>().Get(name)));
        services.AddSingleton<IConfigureOptions<HttpClientFactoryOptions>>(provider => provider.GetRequiredService<UpstreamHandlers>());

        // In front of all others, so that it runs around them and sees the logging handlers that they add.
        services.Insert(0, ServiceDescriptor.Singleton<IHttpMessageHandlerBuilderFilter>(provider => provider.GetRequiredService<UpstreamHandlers>()));
        services.AddHttpClient();
    }

    private static void AddAuthorizationResults(IServiceCollection services)
    {
        var before = services.LastOrDefault(s => s.ServiceType == typeof(IAuthorizationMiddlewareResultHandler));
        services.AddSingleton<IAuthorizationMiddlewareResultHandler>(provider => new AuthorizationResults(
            before is null ? new AuthorizationMiddlewareResultHandler() : (IAuthorizationMiddlewareResultHandler)Create(provider, before),
            provider.GetRequiredService<LlmProxySnapshots>(),
            provider.GetRequiredService<Accountant>()));
    }

    private static object Create(IServiceProvider provider, ServiceDescriptor descriptor) =>
        descriptor.ImplementationInstance
        ?? descriptor.ImplementationFactory?.Invoke(provider)
        ?? ActivatorUtilities.CreateInstance(provider, descriptor.ImplementationType!);

    /// <summary>What is worth saying once, when the app starts.</summary>
    private sealed class StartNotes(
        IReadOnlyList<ConfigurationProblem> warnings, string source, Accountant accountant, LlmProxySnapshots snapshots,
        LiveStates states, TimeProvider time, ILogger logger) : IHostedService
    {
        private static readonly Action<ILogger, string, string, Exception?> _warn =
            LoggerMessage.Define<string, string>(LogLevel.Warning, new EventId(3, "ConfigurationWarning"), "{Source}: {Warning}");

        public Task StartAsync(CancellationToken cancellationToken)
        {
            accountant.ObserveUpstreams(() => snapshots.Current.Routes.Upstreams.Select(u => (u.Name, states.Of(u).MayBeAsked(Clock.Ms(time)))));
            foreach (var warning in warnings)
            {
                _warn(logger, source, LlmProxyReload.Words(warning), null);
            }

            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
