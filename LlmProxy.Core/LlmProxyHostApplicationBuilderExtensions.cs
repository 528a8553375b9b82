using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace LlmProxy.Core;

/// <summary>Adds LlmProxy to an application.</summary>
public static class LlmProxyHostApplicationBuilderExtensions
{
    /// <summary>Adds LlmProxy as a configuration file describes it.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="file">A path; a relative one counts from the application's content root.</param>
    /// <exception cref="LlmProxyConfigurationException">The file cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, string file)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(file);
        var options = LlmProxyConfiguration.ReadFile(Path.Combine(builder.Environment.ContentRootPath, file), out var warnings);
        builder.Services.AddLlmProxyCore(options, warnings, file);
        return builder;
    }

    /// <summary>Adds LlmProxy as a section of the app's configuration describes it.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="section">For example <c>builder.Configuration.GetSection("LlmProxy")</c>.</param>
    /// <exception cref="LlmProxyConfigurationException">The section cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, IConfigurationSection section)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        var options = LlmProxyConfiguration.ReadSection(section, out var warnings);
        builder.Services.AddLlmProxyCore(options, warnings, section.Path);
        return builder;
    }

    /// <summary>Adds LlmProxy with options made in code.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="options">Not to be changed afterwards.</param>
    /// <exception cref="LlmProxyConfigurationException">The options cannot be used.</exception>
    public static IHostApplicationBuilder AddLlmProxy(this IHostApplicationBuilder builder, LlmProxyOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        var problems = LlmProxyConfiguration.Validate(options);
        if (problems.Any(p => p.IsError))
        {
            throw new LlmProxyConfigurationException("The LlmProxy options", problems);
        }

        builder.Services.AddLlmProxyCore(options, problems, "The LlmProxy options");
        return builder;
    }
}
