using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Serving;

/// <summary>Adds the proxy so that it follows where its configuration came from, under the rules that held at the start.</summary>
internal static class ConfigurationFollow
{
    public static void Add(WebApplicationBuilder builder, LoadedConfiguration configuration, ListenPlan plan, FileLimit? files)
    {
        switch (configuration.Source.Kind)
        {
            case SourceKind.File:
                builder.AddLlmProxy(Path.GetFullPath(configuration.Source.Path), Complete);
                break;
            case SourceKind.AppSettings:
                builder.AddLlmProxy(ConfigurationLookup.ReadSection(configuration.Source.Path, follows: true), Complete);
                break;
            default:
                // The environment of a process does not change from outside.
                Bound(configuration.Options);
                builder.AddLlmProxy(configuration.Options);
                break;
        }

        void Bound(LlmProxyOptions options)
        {
            if (options.Limits.Concurrent == 0 && files is { } open)
            {
                // Over HTTP/2 one connection carries many requests, each of which may need one upstream.
                options.Limits.Concurrent = open.Connections;
            }
        }

        void Complete(LlmProxyOptions options)
        {
            Bound(options);
            try
            {
                ListenRules.Refuse(plan, configuration.With(options));
            }
            catch (RefusedException refused)
            {
                throw new LlmProxyConfigurationException(configuration.Source.Description, [new ConfigurationProblem(true, 0, "", refused.Message)]);
            }
        }
    }
}
