using LlmProxy.Core.Configuration;
using LlmProxy.Host.Demo;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stopping;
using LlmProxy.Host.Stores;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Serving;

/// <summary>One run of the server: find the configuration, check the addresses, start, say so, and wait for the end.</summary>
internal sealed class ServeRun
{
    /// <summary>How many ports after the default the demo tries before it takes any.</summary>
    private const int PortsToTry = 10;

    public string? ConfigurationFile { get; init; }

    public string? Urls { get; init; }

    public bool WritesRecords { get; init; } = true;

    /// <summary>Serves the demo whatever is configured.</summary>
    public bool IsDemoForced { get; init; }

    /// <exception cref="RefusedException">It cannot start as things are.</exception>
    /// <exception cref="LlmProxyConfigurationException">The configuration cannot be used.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var variables = new UpstreamVariables();
        var source = IsDemoForced ? ConfigurationSource.Nothing : ConfigurationLookup.Find(ConfigurationFile, variables);
        if (source.Kind != SourceKind.Nothing)
        {
            await ServeAsync(LoadedConfiguration.Read(source, variables), cancellation);
            return;
        }

        await using var demo = await DemoUpstream.StartAsync(TimeProvider.System, cancellation);
        await ServeAsync(LoadedConfiguration.ForDemo(demo), cancellation);
    }

    private async Task ServeAsync(LoadedConfiguration configuration, CancellationToken cancellation)
    {
        foreach (var warning in configuration.Warnings)
        {
            Writers.People.WriteLine(warning.ToString());
        }

        var plan = ListenPlan.Make(Urls, configuration.Options.Listen);
        ListenRules.Refuse(plan, configuration);
        foreach (var warning in ListenRules.Warnings(plan, configuration))
        {
            Writers.People.WriteLine("warn   " + warning);
        }

        var files = FileLimit.Take();
        _ = FileTable.GrowAsync(files);
        if (!configuration.IsDemo && files?.Warning is { } tight)
        {
            Writers.People.WriteLine("warn   " + tight);
        }

        using var store = await OpenedStore.OpenAsync(configuration.Options.Store, configuration.IsDemo, cancellation);
        if (store.Warning is { } notKept)
        {
            Writers.People.WriteLine("warn   " + notKept);
        }

        using var signals = new StopSignals();
        await using var server = await StartAsync(configuration, store, plan, files, signals, cancellation);
        Banner.Print(configuration, plan, server.Addresses);
        await server.RunAsync();
    }

    private async Task<ProxyServer> StartAsync(
        LoadedConfiguration configuration, OpenedStore store, ListenPlan plan, FileLimit? files, StopSignals signals, CancellationToken cancellation)
    {
        // The demo is there to be tried at once: where nobody chose the port, another one does as well.
        var mayMove = configuration.IsDemo && plan.IsDefault;
        var first = plan.Api[0].Port;
        while (true)
        {
            try
            {
                return await ProxyServer.StartAsync(configuration, store, plan, WritesRecords, files, signals, cancellation);
            }
            catch (Exception failure) when (mayMove && plan.Api[0].Port != 0 && BindFailure.IsPortInUse(failure))
            {
                var next = plan.Api[0].Port + 1;
                plan = plan.WithPort(next < first + PortsToTry ? next : 0);
            }
            catch (Exception failure) when (BindFailure.IsOne(failure))
            {
                throw BindFailure.Explain(failure, plan);
            }
        }
    }
}
