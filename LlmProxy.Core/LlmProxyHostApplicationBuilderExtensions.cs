using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace LlmProxy.Core;

/// <summary>Adds LlmProxy to an application.</summary>
public static class LlmProxyHostApplicationBuilderExtensions
{
    /// <summary>Adds LlmProxy as a configuration file describes it.</summary>
    /// <exception cref="LlmProxyConfigurationException">The file cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, string file) =>
        throw new NotImplementedException();

    /// <summary>Adds LlmProxy as a section of the app's configuration describes it.</summary>
    /// <exception cref="LlmProxyConfigurationException">The section cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, IConfigurationSection section) =>
        throw new NotImplementedException();

    /// <summary>Adds LlmProxy with options made in code.</summary>
    /// <exception cref="LlmProxyConfigurationException">The options cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, LlmProxyOptions options) =>
        throw new NotImplementedException();
}
