using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Demo;

namespace LlmProxy.Host.Sources;

/// <summary>The configuration of this run, with the key that was made for it where there was none.</summary>
internal sealed class LoadedConfiguration
{
    private const string DemoName = "demo";
    private const string GeneratedName = "generated";

    private LoadedConfiguration(ConfigurationSource source, LlmProxyOptions options, IReadOnlyList<ConfigurationProblem> warnings, Func<string?> key)
    {
        Source = source;
        Options = options;
        Warnings = warnings;
        if (options.HostIdentity is not null)
        {
            throw new RefusedException($"{source.Description}: HostIdentity is for the middleware in an app that signs its users in. Here callers come with Keys.");
        }

        if (options.Keys.Count == 0 && !options.AllowAnonymous && key() is { } generated)
        {
            GeneratedKey = generated;
            options.Keys[GeneratedName] = new KeyOptions { Hash = ApiKeys.Hash(generated), Debug = IsDemo };
        }
    }

    public ConfigurationSource Source { get; }

    public LlmProxyOptions Options { get; }

    public IReadOnlyList<ConfigurationProblem> Warnings { get; }

    /// <summary>A key that is valid until the process ends; null if the configuration says who may call.</summary>
    public string? GeneratedKey { get; }

    public bool IsDemo => Source.Kind == SourceKind.Nothing;

    /// <summary>Reads what a source holds; not for <see cref="SourceKind.Nothing"/>.</summary>
    /// <exception cref="LlmProxyConfigurationException">It cannot be used.</exception>
    public static LoadedConfiguration Read(ConfigurationSource source, UpstreamVariables variables)
    {
        IReadOnlyList<ConfigurationProblem> warnings = [];
        var options = source.Kind switch
        {
            SourceKind.File => LlmProxyConfiguration.ReadFile(source.Path, out warnings),
            SourceKind.AppSettings => LlmProxyConfiguration.ReadSection(ConfigurationLookup.ReadSection(source.Path), out warnings),
            _ => variables.ToOptions(),
        };
        return new LoadedConfiguration(source, options, warnings, ApiKeys.Create);
    }

    /// <summary>
    /// The same for options that were read later. The key of this run, if there is one, stays the only one that is made: one that
    /// nobody is shown would be of no use.
    /// </summary>
    /// <exception cref="RefusedException">They cannot be used.</exception>
    public LoadedConfiguration With(LlmProxyOptions options) => new(Source, options, [], () => GeneratedKey);

    /// <summary>The demo: whatever model is named, the fake one answers.</summary>
    public static LoadedConfiguration ForDemo(DemoUpstream upstream)
    {
        var options = new LlmProxyOptions();
        options.Upstreams[DemoName] = new UpstreamOptions { Url = upstream.Url, ApiKey = upstream.Key, Proxy = "None" };
        foreach (var name in (string[])[DemoUpstream.Model, "*"])
        {
            options.Models[name] = new ModelOptions { Targets = { new TargetOptions { Upstream = DemoName, Model = DemoUpstream.Model } } };
        }

        // Dear enough for a budget of a dollar to be seen to run out.
        options.Prices[$"{DemoName}/*"] = new PriceOptions { Input = 10, Output = 40, Request = 0.20m };
        return new LoadedConfiguration(ConfigurationSource.Nothing, options, [], ApiKeys.Create);
    }
}
